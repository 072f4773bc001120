import { NightporterError } from '../../protocol/errors.js';
import { FIRST } from './migrations/0001-first.js';
import { SERIES_AND_REPLAYS } from './migrations/0002-series-and-replays.js';
import { LIFE } from './migrations/0003-life.js';
import { PROVIDERS } from './migrations/0004-providers.js';
import { BUDGETS } from './migrations/0005-budgets.js';
import type { Connection } from './connection.js';

/** Append only: the n-th brings a registry of version n - 1 to version n (`PRAGMA user_version`). */
export const MIGRATIONS: readonly string[] = [FIRST, SERIES_AND_REPLAYS, LIFE, PROVIDERS, BUDGETS];

/** Brings the schema up to date, all or nothing. A newer one is refused untouched. */
export function migrate(connection: Connection, file: string, migrations: readonly string[] = MIGRATIONS): void {
  if (refuseNewer(connection, file, migrations) === migrations.length) return;
  connection.write(() => {
    // Again: another process may have been faster.
    const from = refuseNewer(connection, file, migrations);
    for (const sql of migrations.slice(from)) connection.db.exec(sql);
    connection.db.pragma(`user_version = ${migrations.length}`);
  });
}

/** For readers: they cannot migrate. */
export function requireSchema(connection: Connection, file: string, migrations: readonly string[] = MIGRATIONS): void {
  const version = refuseNewer(connection, file, migrations);
  if (version === migrations.length) return;
  if (version === 0) throw new NightporterError('not_found', `${file} is empty: nothing was started here yet`);
  throw new NightporterError(
    'refused',
    `${file} is of an older Nightporter (schema ${version}, this one needs ${migrations.length}): start the daemon once`,
  );
}

function refuseNewer(connection: Connection, file: string, migrations: readonly string[]): number {
  const version = connection.read(() => connection.db.pragma('user_version', { simple: true }));
  if (typeof version !== 'number') throw new Error('user_version is not a number');
  if (version <= migrations.length) return version;
  throw new NightporterError(
    'refused',
    `${file} is of a newer Nightporter (schema ${version}, this one knows ${migrations.length}): ` +
      'use the newer version, or restore the backup made before the upgrade',
  );
}
