import { readdirSync, statSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { acquireHostLock, waitForHostLock } from '../../../src/store/host-lock.js';
import { child } from './child.js';
import { temporaryDir } from './fixture.js';
import type { HostLock } from '../../../src/store/host-lock.js';

const MODULE = 'src/store/host-lock.js';

function taken(dataDir: string): HostLock {
  const lock = acquireHostLock(dataDir);
  onTestFinished(() => {
    if (lock.kind === 'held') lock.release();
  });
  return lock;
}

test('F6: a second host learns within a second that the data dir is taken, and by whom', async () => {
  const dataDir = temporaryDir();
  const first = child('hold-lock.mjs', MODULE, dataDir);
  expect(JSON.parse(await first.firstLine())).toMatchObject({ kind: 'held' });
  const second = child('hold-lock.mjs', MODULE, dataDir);
  const answer = JSON.parse(await second.firstLine()) as { kind: string; by: string; tookMs: number };
  expect(answer.kind).toBe('taken');
  expect(answer.by).toContain(`pid ${first.pid}`);
  expect(answer.tookMs).toBeLessThan(1_000);
  expect(taken(dataDir).kind).toBe('taken');
});

test('F6: the lock is free right after kill -9, again and again', async () => {
  const dataDir = temporaryDir();
  for (let round = 0; round < 3; round += 1) {
    const host = child('hold-lock.mjs', MODULE, dataDir);
    expect(JSON.parse(await host.firstLine())).toMatchObject({ kind: 'held' });
    await host.kill();
    const lock = acquireHostLock(dataDir);
    expect(lock.kind).toBe('held');
    if (lock.kind === 'held') lock.release();
  }
  expect(readdirSync(dataDir)).toEqual(['nightporter.lock']);
  expect(statSync(join(dataDir, 'nightporter.lock')).size).toBe(0);
});

test('F6: a second try in the same process is refused too, and does not lose the first', async () => {
  const dataDir = temporaryDir();
  const lock = taken(dataDir);
  expect(lock.kind).toBe('held');
  expect(acquireHostLock(dataDir).kind).toBe('taken');
  const other = child('hold-lock.mjs', MODULE, dataDir);
  expect(JSON.parse(await other.firstLine())).toMatchObject({ kind: 'taken' });
  if (lock.kind === 'held') {
    lock.release();
    lock.release();
  }
  expect(taken(dataDir).kind).toBe('held');
});

test('waiting for the lock ends with it as soon as it is free', async () => {
  const dataDir = temporaryDir();
  const host = child('hold-lock.mjs', MODULE, dataDir);
  await host.firstLine();
  const waiting = waitForHostLock(dataDir, 20_000);
  await host.kill();
  const lock = await waiting;
  expect(lock.kind).toBe('held');
  if (lock.kind === 'held') lock.release();
});

test('waiting for the lock ends when the time is over', async () => {
  const dataDir = temporaryDir();
  expect(taken(dataDir).kind).toBe('held');
  const startedAt = performance.now();
  expect((await waitForHostLock(dataDir, 120)).kind).toBe('taken');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
});

test('a lock that is no file is an error that says so', () => {
  const dataDir = temporaryDir();
  mkdirSync(join(dataDir, 'nightporter.lock'));
  expect(() => acquireHostLock(dataDir)).toThrow(/nightporter\.lock cannot be taken/);
});
