import { createRequire, Module } from 'node:module';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type Database from 'better-sqlite3';

/**
 * Session files are opened, worked on and closed in every call; in a simulation that is most of the time. Here a closed
 * handle is kept for the next one who opens the same file in the same way, with its statements. What is real stays real:
 * the files, SQLite, its locks between handles and its transactions. Has to be imported before anything that imports
 * better-sqlite3.
 */
interface Kept {
  readonly db: Database.Database;
  readonly inode: bigint;
  readonly close: () => void;
  isOpen: boolean;
}

type Constructor = new (path: string, options?: Database.Options) => Database.Database;

const KEPT = /^(inbound|outbound|registry)\.db$/;

const require = createRequire(import.meta.url);
const place = require.resolve('better-sqlite3');
const Real = require(place) as Constructor & { readonly SqliteError: unknown };
const kept = new Map<string, Kept>();

function Shared(path: string, options: Database.Options = {}): Database.Database {
  if (!KEPT.test(basename(path))) return new Real(path, options);
  const key = `${options.readonly === true ? 'read' : 'write'} ${path}`;
  const inode = statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  const known = kept.get(key);
  if (known !== undefined && !known.isOpen && known.inode === inode) {
    known.isOpen = true;
    return known.db;
  }
  if (known?.isOpen === false) known.close();
  const db = new Real(path, options);
  const now = inode ?? statSync(path, { bigint: true }).ino;
  if (known?.isOpen !== true) keep(key, db, now);
  return db;
}

function keep(key: string, db: Database.Database, inode: bigint): void {
  const close = db.close.bind(db);
  const one: Kept = { db, inode, close, isOpen: true };
  const prepare = db.prepare.bind(db) as (sql: string) => Database.Statement;
  const exec = db.exec.bind(db);
  const pragma = db.pragma.bind(db);
  const statements = new Map<string, Database.Statement>();
  const settings = new Map<string, unknown>();
  if (!db.readonly) spareDisk(db, settings);
  Object.defineProperty(db, 'close', {
    value: () => {
      if (db.inTransaction) exec('ROLLBACK');
      if (basename(db.name) === 'registry.db') dropTemporary(db);
      one.isOpen = false;
      return db;
    },
  });
  // What was set once stays set; to set it again would have every statement compiled anew.
  Object.defineProperty(db, 'exec', {
    value: (sql: string) => {
      if (!sql.startsWith('PRAGMA')) return exec(sql);
      if (!settings.has(sql)) settings.set(sql, exec(sql));
      return db;
    },
  });
  Object.defineProperty(db, 'pragma', {
    value: (sql: string, options?: Database.PragmaOptions) => {
      if (!/^(journal_mode|synchronous|foreign_keys|journal_size_limit)\b/.test(sql)) return pragma(sql, options);
      if (!settings.has(sql)) settings.set(sql, pragma(sql, options));
      return settings.get(sql);
    },
  });
  Object.defineProperty(db, 'prepare', {
    value: (sql: string) => {
      const before = statements.get(sql);
      if (before !== undefined && !before.busy) {
        if (before.reader) before.raw(false).pluck(false);
        return before;
      }
      const statement = prepare(sql);
      statements.set(sql, statement);
      return statement;
    },
  });
  kept.set(key, one);
}

function dropTemporary(db: Database.Database): void {
  const names = db.prepare("SELECT name FROM temp.sqlite_schema WHERE type = 'table'").pluck().all();
  for (const name of names) db.exec(`DROP TABLE temp.${String(name)}`);
}

/**
 * No process dies within SQLite here, nor does a machine: journals in memory and nothing flushed. What a file on disk
 * is after such deaths is for the tests that kill.
 */
function spareDisk(db: Database.Database, settings: Map<string, unknown>): void {
  db.pragma('synchronous = OFF');
  if (basename(db.name) === 'registry.db') {
    settings.set('synchronous = FULL', undefined);
    return;
  }
  settings.set('journal_mode', db.pragma('journal_mode', { simple: true }));
  for (const sql of ['synchronous = EXTRA', 'PRAGMA synchronous = EXTRA']) settings.set(sql, undefined);
  db.pragma('journal_mode = MEMORY');
}

/** Closes all of them, before their folder is removed. */
export function closeHandles(): void {
  for (const { close } of kept.values()) close();
  kept.clear();
}

Object.assign(Shared, { SqliteError: Real.SqliteError, prototype: Real.prototype as unknown });
// A module of its own: what imports it from now on gets it, the real one keeps what it has.
const replaced = new Module(place);
Object.assign(replaced, { exports: Shared, filename: place, loaded: true });
require.cache[place] = replaced;
