import { lstatSync, opendirSync, statSync } from 'node:fs';
import type { Dir } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import type { FolderDrift, Some, StrayFolder } from '../../ports/examination.js';
import type { SessionAddress } from '../../protocol/address.js';
import { codeOf } from '../session-files/finding.js';
import { REMOVED_FOLDER } from '../session-files/remove.js';
import { IMPORTING_SESSIONS_FOLDER } from '../session-files/session-paths.js';

const EXAMPLES_MAX = 100;
/** Files come before their row, and rows go before their files: what changed just now may be on its way. */
const FRESH_MS = 60_000;
/** On their way out, or not there yet. */
const OF_NO_SESSION: ReadonlySet<string> = new Set([REMOVED_FOLDER, IMPORTING_SESSIONS_FOLDER]);
const SELECT = "SELECT address, (signature IS NULL AND spooled > 0) OR status = 'closed' AS needs_none FROM sessions";

/**
 * Compares folders and rows by name; opens no file of a session. A session whose first message is still in the spool has no
 * folder yet. Memory grows with the number of folders (about 100 bytes each), not of rows.
 */
export function findFolderDrift(db: Database.Database, sessionsDir: string, nowMs: number): FolderDrift {
  const folders = new Set(eachFolder(sessionsDir));
  const found = { sessions: 0, folders: folders.size };
  const withoutFolder = new Collected<SessionAddress>();
  const rows = db.prepare(SELECT).iterate();
  for (const row of rows as IterableIterator<{ readonly address: SessionAddress; readonly needs_none: number }>) {
    found.sessions += 1;
    if (folders.delete(row.address) || row.needs_none === 1) continue;
    // It may have been made since the folders were listed.
    if (lstatSync(join(sessionsDir, row.address), { throwIfNoEntry: false }) === undefined) {
      withoutFolder.add(row.address);
    }
  }
  const withoutSession = new Collected<StrayFolder>();
  const isKnown = db.prepare('SELECT 1 FROM sessions WHERE address = ?').pluck();
  for (const path of folders) {
    const stats = lstatSync(join(sessionsDir, path), { throwIfNoEntry: false });
    if (stats === undefined || isKnown.get(path) !== undefined) continue;
    const ageMs = nowMs - stats.mtimeMs;
    if (ageMs > FRESH_MS) withoutSession.add({ path, ageMs: Math.round(ageMs) });
  }
  return { ...found, withoutFolder: withoutFolder.some(), withoutSession: withoutSession.some() };
}

function* eachFolder(sessionsDir: string): Generator<string> {
  for (const group of namesIn(sessionsDir)) {
    for (const session of namesIn(join(sessionsDir, group))) {
      if (!OF_NO_SESSION.has(session)) yield `${group}/${session}`;
    }
  }
}

/** Empty where there is no such folder, or it is none. */
function* namesIn(folder: string): Generator<string> {
  let dir: Dir;
  try {
    // An operator may link a group's folder to another disk.
    if (!statSync(folder).isDirectory()) return;
    dir = opendirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return;
    throw error;
  }
  try {
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) yield entry.name;
  } finally {
    dir.closeSync();
  }
}

class Collected<T> {
  #count = 0;
  readonly #examples: T[] = [];

  add(one: T): void {
    this.#count += 1;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(one);
  }

  some(): Some<T> {
    return { count: this.#count, examples: this.#examples };
  }
}
