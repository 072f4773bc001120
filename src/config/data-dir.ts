import { join, resolve } from 'node:path';
import { NightporterError } from '../protocol/errors.js';

/** The data dir as an absolute path: --data-dir, NIGHTPORTER_DATA_DIR, /var/lib for root, else the XDG state folder. */
export function dataDirFrom({
  flag,
  env,
  uid,
}: {
  readonly flag: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number | undefined;
}): string {
  const named = [flag, env['NIGHTPORTER_DATA_DIR']].find((path) => path !== undefined && path !== '');
  if (named !== undefined) return resolve(named);
  if (uid === 0) return '/var/lib/nightporter';
  const state = env['XDG_STATE_HOME'] ?? '';
  if (state.startsWith('/')) return join(state, 'nightporter');
  const home = env['HOME'] ?? '';
  if (home.startsWith('/')) return join(home, '.local', 'state', 'nightporter');
  throw new NightporterError('usage', 'no place for the data: HOME is not set; give one with --data-dir');
}
