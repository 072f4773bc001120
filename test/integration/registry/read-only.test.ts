import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRegistry } from '../../../src/store/registry/open-registry.js';
import { child } from './child.js';
import { address, created, epoch, incoming, openedForReading, openedRegistry, temporaryDir } from './fixture.js';
import { eventually } from '../../support/eventually.js';
import type { Registry } from '../../../src/ports/registry.js';

const DEMO = address('demo/first');
const NOT_FOUND = expect.objectContaining({ code: 'not_found' }) as Error;

/** Content hash and inode of registry.db and its -wal, and the names of all files. */
function stateOf(dataDir: string): unknown {
  const files = ['registry.db', 'registry.db-wal'].map((name) => {
    const file = join(dataDir, name);
    if (!existsSync(file)) return { name };
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    return { name, hash, ino: statSync(file).ino, mtimeMs: statSync(file).mtimeMs };
  });
  return { files, names: readdirSync(dataDir).toSorted() };
}

function readEverything(registry: Registry): void {
  registry.totals();
  for (const { address: session } of registry.eachSession()) {
    registry.spooled(session, 10);
    registry.guard(session);
    registry.incarnations(session, 10);
  }
  registry.dueSessions(1_000_000, 100);
  registry.nextDueAfter(0);
  registry.slice(undefined, 100);
  registry.openIncarnations();
  registry.openNotices(10);
  registry.readFact('runtime');
}

function readerLeaves(dataDir: string): Registry {
  const before = stateOf(dataDir);
  const reader = openRegistry({ dataDir, mode: 'read' });
  expect(reader.readonly).toBe(true);
  readEverything(reader);
  expect(stateOf(dataDir)).toEqual(before);
  reader.close();
  expect(stateOf(dataDir)).toEqual(before);
  return reader;
}

test('F32: a reader where nothing was started is told so, and creates nothing', () => {
  const dir = temporaryDir();
  expect(() => openRegistry({ dataDir: join(dir, 'none'), mode: 'read' })).toThrow(NOT_FOUND);
  expect(() => openRegistry({ dataDir: dir, mode: 'read' })).toThrow(NOT_FOUND);
  writeFileSync(join(dir, 'registry.db'), '');
  expect(() => openRegistry({ dataDir: dir, mode: 'read' })).toThrow(NOT_FOUND);
  expect(readdirSync(dir)).toEqual(['registry.db']);
  expect(readFileSync(join(dir, 'registry.db'))).toHaveLength(0);
});

test('F32: a reader after a clean end changes and creates nothing', () => {
  const dataDir = temporaryDir();
  const writer = openRegistry({ dataDir, mode: 'write' });
  writer.accept(incoming('demo/first', 'a'));
  writer.close();
  readerLeaves(dataDir);
});

test('F32: a reader beside a writer changes nothing, and sees each commit', () => {
  const dataDir = temporaryDir();
  const writer = openedRegistry(dataDir);
  writer.accept(incoming('demo/first', 'a'));
  readerLeaves(dataDir);
  const reader = openedForReading(dataDir);
  expect(reader.totals().messages.spooled).toBe(1);
  writer.accept(incoming('demo/first', 'b'));
  expect(reader.totals().messages.spooled).toBe(2);
});

test('F32: a reader after a kill -9 sees every commit and changes neither registry.db nor its -wal', async () => {
  const dataDir = temporaryDir();
  const loop = child('accept-loop.mjs', 'src/store/registry/open-registry.js', dataDir);
  await eventually('20 messages are accepted', () => loop.lines().length >= 20, { intervalMs: 1 });
  await loop.kill();
  expect(statSync(join(dataDir, 'registry.db-wal')).size).toBeGreaterThan(0);
  readerLeaves(dataDir);
  expect(openedForReading(dataDir).totals().messages.spooled).toBeGreaterThanOrEqual(loop.lines().length);
});

test('F32: a reader of a restored registry.db without -wal and -shm creates neither', () => {
  const dataDir = temporaryDir();
  const writer = openRegistry({ dataDir, mode: 'write' });
  writer.accept(incoming('demo/first', 'a'));
  writer.close();
  rmSync(join(dataDir, 'registry.db-wal'));
  rmSync(join(dataDir, 'registry.db-shm'));
  readerLeaves(dataDir);
  expect(openedForReading(dataDir).totals().messages.spooled).toBe(1);
});

test('F32: whatever writes is refused on a reader', () => {
  const dataDir = temporaryDir();
  created(openedRegistry(dataDir), 'demo/first');
  const reader = openedForReading(dataDir);
  const writes: (() => unknown)[] = [
    () => reader.accept(incoming('demo/first', 'a')),
    () => reader.acceptAll([]),
    () => {
      reader.setPinned(DEMO, true);
    },
    () => reader.beginIncarnation(DEMO, { atLeast: epoch(0), specHash: 'h', atMs: 1, answersMark: 0 }),
    () => reader.settleNotice('held', null),
    () => {
      reader.writeFact('a', 'b');
    },
  ];
  for (const write of writes) expect(write).toThrow(expect.objectContaining({ code: 'refused' }));
});

test('the install id is that of machine, path and inode: the same dir keeps its own, a copy has another', () => {
  const dir = temporaryDir();
  const dataDir = join(dir, 'one');
  const first = openRegistry({ dataDir, mode: 'write' });
  expect(first.install).toMatch(/^[0-9a-f]{32}$/);
  first.close();
  expect(openedRegistry(dataDir).install).toBe(first.install);
  expect(openedForReading(dataDir).install).toBe(first.install);

  const copy = join(dir, 'two');
  cpSync(dataDir, copy, { recursive: true });
  const asReader = openedForReading(copy).install;
  const asWriter = openedRegistry(copy);
  expect(asReader).not.toBe(first.install);
  expect(asWriter.install).toBe(asReader);
  expect(asWriter.readFact('install')).toBe(asReader);

  const replaced = join(dir, 'three');
  mkdirSync(replaced);
  const elsewhere = openedRegistry(replaced).install;
  expect(new Set([elsewhere, asReader, first.install]).size).toBe(3);
});
