import {
  isExpired,
  NO_NOTES,
  PROVIDER_SESSION_KEY,
  readProviderSession,
  readResumeFailures,
  readUsage,
  RESUME_FAILURES_KEY,
  type RunnerNotes,
  USAGE_KEY,
} from '../../protocol/runner-notes.js';
import { textCell, textOf } from './cells.js';
import type { Shape } from './check-schema.js';
import type { SqliteDatabase } from './open-database.js';

const VALUE_MAX_BYTES = 4 * 1024;
const KEY_MAX_BYTES = 256;
/** A session has a handful of providers. */
const ROWS_MAX = 100;

interface StateRow {
  readonly key: string;
  readonly value: string;
}

/** What the runner keeps for the host to know. What is malformed, or over limits, says nothing. */
export function readNotes(database: SqliteDatabase, shape: Shape): RunnerNotes {
  if (!shape.has('session_state')) return NO_NOTES;
  const rows = rowsOf(database, PROVIDER_SESSION_KEY, RESUME_FAILURES_KEY, USAGE_KEY);
  if (rows.length === 0) return NO_NOTES;
  const usage = rows.find(({ key }) => key === USAGE_KEY);
  const failures = rows.map(({ key, value }) => readResumeFailures(key, value)).filter((one) => one !== undefined);
  return {
    sessions: rows.map(({ key, value }) => readProviderSession(key, value)).filter((one) => one !== undefined),
    usage: usage === undefined ? null : readUsage(usage.value),
    resumeFailures: Object.fromEntries(failures.map(({ provider, count }) => [provider, count])),
  };
}

/** Deletes ids that are too old, each only as it was read; only with no container running. How many. */
export function removeExpired(database: SqliteDatabase, shape: Shape, maxAgeMs: number, nowMs: number): number {
  if (!shape.has('session_state')) return 0;
  const expired = rowsOf(database, PROVIDER_SESSION_KEY).filter(({ key, value }) => {
    const found = readProviderSession(key, value);
    return found !== undefined && isExpired(found, maxAgeMs, nowMs);
  });
  if (expired.length === 0) return 0;
  const remove = database.prepare<[string, string]>('DELETE FROM session_state WHERE key = ? AND value = ?');
  return database
    .transaction(() => expired.reduce((count, { key, value }) => count + remove.run(key, value).changes, 0))
    .immediate();
}

/** The least text that no longer begins with this one. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** By ranges of keys, which are the primary key. */
function rowsOf(database: SqliteDatabase, ...prefixes: readonly string[]): readonly StateRow[] {
  const ranges = prefixes.map(() => '(key >= ? AND key < ?)').join(' OR ');
  const sql = `SELECT ${textCell('key', KEY_MAX_BYTES)}, ${textCell('value', VALUE_MAX_BYTES)} FROM session_state
    WHERE ${ranges} LIMIT ${String(ROWS_MAX)}`;
  const rows = database
    .prepare<string[], readonly unknown[]>(sql)
    .raw()
    .all(...prefixes.flatMap((prefix) => [prefix, endOf(prefix)]));
  return rows.flatMap(([keyCell, valueCell]) => {
    const key = textOf(keyCell);
    const value = textOf(valueCell);
    return key === null || value === null ? [] : [{ key, value }];
  });
}
