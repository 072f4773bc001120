import { lstatSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TestPorter, session } from './porter.js';
import type { PorterOptions } from './porter.js';

export const DAY = 24 * 3_600_000;
export const G = session('g/a');
export const A = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
export const B = '1c7f4d2b-5e30-4b8c-8d9e-223344556677';
export const PROJECT = 'out/.claude/projects/-workspace';
export const RUN = 'host/run/np-g-a.0123456789abcdef';
export const KEPT = { SESSION_CLOSE_AFTER_MS: 0 };

/** A porter with one session, which nothing closes. */
export async function openWithSession(options: PorterOptions): Promise<TestPorter> {
  const p = new TestPorter({ files: 'in_process', ...options, settings: { ...KEPT, ...options.settings } });
  await make(p, 'g/a');
  return p;
}

export async function make(p: TestPorter, text: string): Promise<void> {
  await p.files.create(session(text));
  p.registry.createSession({
    ...{ address: session(text), createdAtMs: p.clock.now() },
    ...{ provider: null, image: null, command: null },
  });
}

export const place = (p: TestPorter, path: string): string => join(p.paths('g/a').session, path);

/** A file in the session's folder, last written at the clock's time. */
export function put(p: TestPorter, path: string, bytes = 10): void {
  const file = place(p, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x'.repeat(bytes));
  age(p, path);
}

export function age(p: TestPorter, path: string): void {
  const atS = p.clock.now() / 1000;
  utimesSync(place(p, path), atS, atS);
}

export function remember(p: TestPorter, value: string): void {
  p.write('g/a', 'INSERT OR REPLACE INTO session_state (key, value, updated_at) VALUES (?, ?, ?)', 'k', value, '');
}

export const lives = (p: TestPorter, id: string): void => {
  remember(p, JSON.stringify({ id, last_used_at: new Date(p.clock.now()).toISOString() }));
};

export const isThere = (p: TestPorter, path: string): boolean =>
  lstatSync(place(p, path), { throwIfNoEntry: false }) !== undefined;

export async function gc(p: TestPorter, dryRun = false) {
  const { actions, kept } = await p.upkeep.collect({ dryRun });
  const above = `${p.paths('g/a').session}/`;
  const pruned = actions
    .filter(({ action }) => action === 'prune_artifact')
    .map(({ reason, path, bytes }) => `${reason} ${String(path).replace(above, '')} ${String(bytes)}`);
  return { pruned: pruned.sort(), kept };
}

export const all = { transcript: `${PROJECT}/${A}.jsonl`, debug: `out/.claude/debug/${A}.txt` };
