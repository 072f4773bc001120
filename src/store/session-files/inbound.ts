import { INBOUND_INDEXES, INBOUND_OPTIONAL_COLUMNS, INBOUND_SCHEMA } from '../../protocol/schema.js';
import { parseInstant } from '../../protocol/times.js';
import { checkSchema, type Shape } from './check-schema.js';
import { busy, Finding } from './finding.js';
import { withDatabase, type FilesSettings, type SqliteDatabase } from './open-database.js';
import type { SessionPaths } from './session-paths.js';

/**
 * Reads inbound.db read-only. A hot journal, which only a killed host leaves behind, is rolled back first: the host is
 * the file's only writer. undefined when there is no such file, or nothing in it.
 */
export function readInbound<T>(
  settings: FilesSettings,
  paths: SessionPaths,
  work: (database: SqliteDatabase, shape: Shape) => T,
): T | undefined {
  const read = (): T | undefined =>
    withDatabase(settings, paths, 'inbound.db', 'read', (database) =>
      work(database, checkSchema(database, 'inbound.db')),
    );
  try {
    return read();
  } catch (error) {
    if (!isHotJournal(error)) throw error;
    rollBackInbound(settings, paths);
    return read();
  }
}

/** Whether a read-only open met a journal that must be rolled back first. */
export function isHotJournal(error: unknown): boolean {
  return (
    error instanceof Finding &&
    error.outcome.kind === 'busy' &&
    /^SQLITE_(READONLY_ROLLBACK|CANTOPEN)/.test(error.outcome.detail)
  );
}

export function rollBackInbound(settings: FilesSettings, paths: SessionPaths): void {
  withDatabase(settings, paths, 'inbound.db', 'write', (database) => {
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
  });
}

/** Rows that lost their recurrence or occurrence when an older file was brought up to date. */
export interface Upgraded {
  readonly duplicates: number;
}

/** Works on inbound.db through a writing handle, brought up to date first. The file must be there. */
export function writeInbound<T extends object>(
  settings: FilesSettings,
  paths: SessionPaths,
  work: (database: SqliteDatabase, shape: Shape) => T,
): T & Upgraded {
  const result = withDatabase(settings, paths, 'inbound.db', 'write', (database) => {
    const upgraded = upgradeInbound(database);
    return { ...work(database, checkSchema(database, 'inbound.db')), ...upgraded };
  });
  if (result === undefined) throw busy('inbound.db', 'vanished');
  return result;
}

/** Shapes that need nothing any more; told by object identity, since equal schema texts give the same shape. */
const current = new WeakSet<Shape>();

/** Adds the tables, columns and indexes that an empty, older or foreign file lacks. */
export function upgradeInbound(database: SqliteDatabase): Upgraded {
  const shape = checkSchema(database, 'inbound.db');
  if (current.has(shape)) return { duplicates: 0 };
  const upgrade = database.transaction(() => {
    database.exec(INBOUND_SCHEMA);
    const columns = checkSchema(database, 'inbound.db').get('messages_in');
    for (const [column, declaration] of Object.entries(INBOUND_OPTIONAL_COLUMNS)) {
      if (columns?.has(column) !== true) database.exec(`ALTER TABLE messages_in ADD COLUMN ${column} ${declaration}`);
    }
    const duplicates = retireDuplicates(database);
    database.exec(INBOUND_INDEXES);
    return duplicates;
  });
  const duplicates = upgrade.immediate();
  current.add(checkSchema(database, 'inbound.db'));
  return { duplicates };
}

interface SeriesRow {
  readonly rowid: number;
  readonly at: string | null;
  readonly key: string;
}

function retireDuplicates(database: SqliteDatabase): number {
  const live = database
    .prepare<[], SeriesRow>(
      `SELECT rowid, ifnull(process_after, timestamp) AS at, series_id AS key FROM messages_in
       WHERE recurrence IS NOT NULL AND status IN ('pending', 'paused') AND series_id IS NOT NULL`,
    )
    .all();
  const retire = database.prepare('UPDATE messages_in SET recurrence = NULL WHERE rowid = ?');
  const later = laterOfEach(live);
  for (const rowid of later) retire.run(rowid);
  const fired = database
    .prepare<[], SeriesRow>(
      `SELECT rowid, timestamp AS at, json_array(series_id, occurrence) AS key FROM messages_in
       WHERE series_id IS NOT NULL AND occurrence IS NOT NULL`,
    )
    .all();
  const forget = database.prepare('UPDATE messages_in SET occurrence = NULL, recurrence = NULL WHERE rowid = ?');
  const twice = laterOfEach(fired);
  for (const rowid of twice) forget.run(rowid);
  return later.length + twice.length;
}

/** All but the earliest of each key. */
function laterOfEach(rows: readonly SeriesRow[]): readonly number[] {
  const atMs = (row: SeriesRow): number => (row.at === null ? undefined : parseInstant(row.at)) ?? 0;
  const seen = new Set<string>();
  return [...rows]
    .sort((a, b) => atMs(a) - atMs(b) || a.rowid - b.rowid)
    .filter((row) => {
      if (!seen.has(row.key)) {
        seen.add(row.key);
        return false;
      }
      return true;
    })
    .map((row) => row.rowid);
}
