import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openForReading, openForWriting } from '../../../src/store/registry/connection.js';
import { MIGRATIONS, migrate, requireSchema } from '../../../src/store/registry/migrations.js';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import { incoming, openedRegistry, temporaryDir } from './fixture.js';
import type { Connection } from '../../../src/store/registry/connection.js';

const REFUSED = expect.objectContaining({ code: 'refused' }) as Error;

function openedConnection(file: string): Connection {
  const connection = openForWriting(file);
  onTestFinished(() => {
    connection.close();
  });
  return connection;
}

function versionOf(file: string): unknown {
  const db = new Database(file, { readonly: true });
  try {
    return db.pragma('user_version', { simple: true });
  } finally {
    db.close();
  }
}

test('a new registry has the newest schema, and opens again with what it had', () => {
  const dataDir = temporaryDir();
  const first = openRegistry({ dataDir, mode: 'write' });
  first.accept(incoming('demo/first', 'a'));
  first.close();
  expect(versionOf(join(dataDir, 'registry.db'))).toBe(MIGRATIONS.length);
  expect(openedRegistry(dataDir).totals().messages.spooled).toBe(1);
});

test('a commit is on disk when it returns, and foreign keys hold', () => {
  const file = join(temporaryDir(), 'registry.db');
  // The library's default is another one for a file that is in WAL mode already.
  openForWriting(file).close();
  const { db } = openedConnection(file);
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(db.pragma('synchronous', { simple: true })).toBe(2);
  expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
});

test('only the owner may read the registry', () => {
  const dataDir = temporaryDir();
  openedRegistry(dataDir);
  for (const name of ['registry.db', 'registry.db-wal', 'registry.db-shm']) {
    expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
  }
});

test('a newer schema is refused to writer and reader, and stays as it is', () => {
  const dataDir = temporaryDir();
  openRegistry({ dataDir, mode: 'write' }).close();
  const file = join(dataDir, 'registry.db');
  const db = new Database(file);
  db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
  db.close();
  const before = readFileSync(file);
  expect(() => openRegistry({ dataDir, mode: 'write' })).toThrow(REFUSED);
  expect(() => openRegistry({ dataDir, mode: 'read' })).toThrow(REFUSED);
  expect(readFileSync(file).equals(before)).toBe(true);
});

test('migrations run in order, each once; a reader of an older schema is told what to do', () => {
  const file = join(temporaryDir(), 'registry.db');
  const connection = openedConnection(file);
  const steps = ['CREATE TABLE a (n)', 'INSERT INTO a VALUES (1)', 'INSERT INTO a VALUES (2)'];
  migrate(connection, file, steps.slice(0, 2));
  const reader = openForReading(file);
  onTestFinished(() => {
    reader.close();
  });
  expect(() => {
    requireSchema(reader, file, steps);
  }).toThrow(REFUSED);
  migrate(connection, file, steps);
  migrate(connection, file, steps);
  expect(connection.db.prepare('SELECT n FROM a').pluck().all()).toEqual([1, 2]);
  requireSchema(reader, file, steps);
});

test('a migration that fails leaves the schema as it was', () => {
  const file = join(temporaryDir(), 'registry.db');
  const connection = openedConnection(file);
  expect(() => {
    migrate(connection, file, ['CREATE TABLE a (n)', 'CREATE TABLE a (n)']);
  }).toThrow(/already exists/);
  expect(connection.db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()).toBe(0);
  expect(versionOf(file)).toBe(0);
});

test('a registry.db that is no database is refused with what to do, and not touched', () => {
  const dataDir = temporaryDir();
  const file = join(dataDir, 'registry.db');
  writeFileSync(file, 'garbage'.repeat(1_000));
  for (const mode of ['write', 'read'] as const) {
    expect(() => openRegistry({ dataDir, mode })).toThrow(/restore it from a backup/);
  }
  expect(readFileSync(file, 'utf8')).toBe('garbage'.repeat(1_000));
});

test('a row that makes no sense is refused by name, not passed on', () => {
  const dataDir = temporaryDir();
  const registry = openedRegistry(dataDir);
  registry.raise({ kind: 'held', session: null, text: 't', atMs: 1 });
  const db = new Database(join(dataDir, 'registry.db'));
  db.exec("UPDATE notices SET kind = 'nonsense'");
  db.close();
  expect(() => registry.openNotices(10)).toThrow(/notices\.kind/);
});

test('a registry may be closed twice', () => {
  const registry = openRegistry({ dataDir: temporaryDir(), mode: 'write' });
  registry.close();
  registry.close();
});
