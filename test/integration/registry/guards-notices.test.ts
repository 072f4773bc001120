import { expect, test } from 'vitest';
import { address, created, openedRegistry, temporaryDir } from './fixture.js';
import type { GuardState } from '../../../src/core/guard.js';

const DEMO = address('demo/first');
const HELD: GuardState = {
  fruitless: 4,
  notBeforeMs: 4_000,
  heldSinceMs: 5_000,
  holdReason: 'fruitless_starts',
  nextProbeAtMs: 6_000,
  settledFailures: 1,
  oomKills: 1,
};

test('F7: a guard survives a new start of the host', () => {
  const dataDir = temporaryDir();
  const before = openedRegistry(dataDir);
  created(before, 'demo/first');
  expect(before.guard(DEMO)).toMatchObject({ fruitless: 0, heldSinceMs: null });
  before.saveGuard(DEMO, { ...HELD, fruitless: 1 });
  before.saveGuard(DEMO, HELD);
  before.close();
  const after = openedRegistry(dataDir);
  expect(after.guard(DEMO)).toEqual(HELD);
  expect(after.findSession(DEMO)?.heldSinceMs).toBe(5_000);
  expect(after.totals().sessions.held).toBe(1);
});

test('a guard of a session that is not there is refused', () => {
  const registry = openedRegistry();
  expect(() => {
    registry.saveGuard(DEMO, HELD);
  }).toThrow(expect.objectContaining({ code: 'not_found' }));
});

test('one open notice per kind and session: raised again it counts up', () => {
  const registry = openedRegistry();
  expect(registry.raise({ kind: 'held', session: DEMO, text: 'first', atMs: 10 })).toBe(true);
  expect(registry.raise({ kind: 'held', session: DEMO, text: 'again', atMs: 20 })).toBe(false);
  expect(registry.raise({ kind: 'stopped', session: DEMO, text: 's', atMs: 15 })).toBe(true);
  expect(registry.raise({ kind: 'held', session: null, text: 'install', atMs: 12 })).toBe(true);
  expect(registry.raise({ kind: 'held', session: null, text: 'install', atMs: 12 })).toBe(false);
  expect(registry.openNotices(10)).toEqual([
    { kind: 'held', session: DEMO, text: 'again', atMs: 10, lastAtMs: 20, count: 2 },
    { kind: 'stopped', session: DEMO, text: 's', atMs: 15, lastAtMs: 15, count: 1 },
    { kind: 'held', session: null, text: 'install', atMs: 12, lastAtMs: 12, count: 2 },
  ]);
  expect(registry.openNotices(1)).toHaveLength(1);
});

test('a settled notice is gone, and raised anew it is a new one', () => {
  const registry = openedRegistry();
  registry.raise({ kind: 'runtime_down', session: null, text: 'down', atMs: 10 });
  expect(registry.settleNotice('runtime_down', DEMO)).toBe(false);
  expect(registry.settleNotice('runtime_down', null)).toBe(true);
  expect(registry.settleNotice('runtime_down', null)).toBe(false);
  expect(registry.raise({ kind: 'runtime_down', session: null, text: 'down', atMs: 30 })).toBe(true);
  expect(registry.openNotices(10)).toMatchObject([{ atMs: 30, count: 1 }]);
});

test('notices survive a new start of the host', () => {
  const dataDir = temporaryDir();
  const before = openedRegistry(dataDir);
  before.raise({ kind: 'held', session: DEMO, text: 'first', atMs: 10 });
  before.close();
  expect(openedRegistry(dataDir).raise({ kind: 'held', session: DEMO, text: 'again', atMs: 20 })).toBe(false);
});
