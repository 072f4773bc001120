import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { textOf } from '../session-files/cells.js';
import type { SqliteDatabase } from '../session-files/open-database.js';
import { Unreadable } from './unreadable.js';

const GUARDS =
  'PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;';
const MAX_ENTRIES = 500;
const MAX_SQL_BYTES = 20_000;

/** Reads a copy that nobody else knows: a journal beside it is rolled back, a WAL taken in. undefined: there is none. */
export function readCopy<T>(path: string, work: (database: SqliteDatabase) => T): T | undefined {
  if (!existsSync(path)) return undefined;
  const database = new Database(path, { fileMustExist: true, timeout: 0 });
  try {
    database.exec(GUARDS);
    return work(database);
  } finally {
    database.close();
  }
}

/** The columns of a table, in lower case; none: it is not there. @throws Unreadable: it is no plain table */
export function columnsOf(database: SqliteDatabase, table: string): ReadonlySet<string> {
  const entries = database
    .prepare<[string], readonly [type: unknown, stored: unknown, sql: unknown]>(
      `SELECT type, rootpage > 0, substr(sql, 1, ${String(MAX_SQL_BYTES + 1)}) FROM sqlite_schema
       WHERE name = ? COLLATE NOCASE LIMIT ${String(MAX_ENTRIES)}`,
    )
    .raw()
    .all(table);
  const [entry] = entries;
  if (entry === undefined) return new Set();
  const [type, stored, sql] = entry;
  const isPlain = type === 'table' && stored === 1 && textOf(sql)?.startsWith('CREATE TABLE ') === true;
  const isLong = (textOf(sql)?.length ?? 0) > MAX_SQL_BYTES;
  if (entries.length > 1 || !isPlain || isLong) throw new Unreadable(`${table} is no plain table`);
  const columns = database
    .prepare<[string], { readonly name: string; readonly hidden: number }>(
      'SELECT name, hidden FROM pragma_table_xinfo(?)',
    )
    .all(table);
  if (columns.some(({ hidden }) => hidden !== 0)) throw new Unreadable(`${table} has generated or hidden columns`);
  return new Set(columns.map(({ name }) => name.toLowerCase()));
}

/** The same of one that must be there, with these columns. */
export function requireColumns(
  database: SqliteDatabase,
  table: string,
  needed: readonly string[],
): ReadonlySet<string> {
  const columns = columnsOf(database, table);
  const lacking = needed.find((column) => !columns.has(column));
  if (columns.size === 0) throw new Unreadable(`it has no table ${table}`);
  if (lacking !== undefined) throw new Unreadable(`${table} has no column ${lacking}`);
  return columns;
}

/** SQL of a cell under its own name; NULL where an older version does not have the column. */
export function cellOf(columns: ReadonlySet<string>, column: string, sql: (column: string) => string): string {
  return `${columns.has(column) ? sql(column) : 'NULL'} AS "${column}"`;
}
