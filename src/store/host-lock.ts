import Database from 'better-sqlite3';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NightporterError } from '../protocol/errors.js';
import { formatInstant } from '../protocol/times.js';
import { openDataDir } from './data-dir.js';

export const LOCK_FILE = 'nightporter.lock';
/** Who holds the lock, for messages; never decides anything. */
export const HOLDER_FILE = 'nightporter.pid';
const POLL_MS = 50;

export type HostLock =
  | { readonly kind: 'held'; release(): void }
  /** `by`: for people, undefined when unknown. */
  | { readonly kind: 'taken'; readonly by: string | undefined };

/** A connection that nobody refers to is closed by the garbage collector, and the lock with it. */
const held = new Set<Database.Database>();

/**
 * One host per data dir (made if there is none): held until released or until this process is gone, however it ends.
 * Answers at once. Nothing else in this process may open the lock's file: any close would drop the lock.
 */
export function acquireHostLock(path: string): HostLock {
  const dataDir = openDataDir(path);
  const db = tryLock(join(dataDir, LOCK_FILE));
  if (db === undefined) return { kind: 'taken', by: readHolder(dataDir) };
  held.add(db);
  writeHolder(dataDir);
  const release = (): void => {
    if (!held.delete(db)) return;
    // First: afterwards it may be the next holder's.
    rmSync(join(dataDir, HOLDER_FILE), { force: true });
    db.close();
  };
  return { kind: 'held', release };
}

/** Asks again until it is held or `timeoutMs` are over. */
export async function waitForHostLock(path: string, timeoutMs: number): Promise<HostLock> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const lock = acquireHostLock(path);
    const leftMs = deadline - performance.now();
    if (lock.kind === 'held' || leftMs <= 0) return lock;
    await delay(Math.min(POLL_MS, leftMs));
  }
}

function tryLock(file: string): Database.Database | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { timeout: 0 });
    // No journal that a crash could leave: nothing is ever written to this file.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    const code = error instanceof Database.SqliteError ? error.code : '';
    if (code.startsWith('SQLITE_BUSY')) return undefined;
    throw new NightporterError(
      'failed',
      `the lock ${file} cannot be taken (${code === '' ? 'not a file?' : code}): check what it is and who may write it`,
      { cause: error },
    );
  }
}

function writeHolder(dataDir: string): void {
  const text = `pid ${process.pid}, since ${formatInstant(Date.now() - process.uptime() * 1000)}`;
  try {
    writeFileSync(join(dataDir, HOLDER_FILE), `${text}\n`, { mode: 0o600 });
  } catch {
    // Only a message is lost: the lock is held.
  }
}

function readHolder(dataDir: string): string | undefined {
  try {
    const text = readFileSync(join(dataDir, HOLDER_FILE), 'utf8').slice(0, 200).trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}
