import { expect, test } from 'vitest';
import { address, containerId, created, epoch, openedRegistry, temporaryDir } from './fixture.js';
import type { IncarnationEnd } from '../../../src/ports/registry.js';

const DEMO = address('demo/first');
const BEGIN = { atLeast: epoch(0), specHash: 'hash', atMs: 100, answersMark: 3 };
const END: IncarnationEnd = {
  stoppedAtMs: 300,
  exitCode: 137,
  signal: 'SIGKILL',
  oomKilled: true,
  turnsCompleted: 2,
  output: 'last words',
  fruitless: false,
};

test('epochs only grow: above the registry and above what labels and acks say', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  expect(registry.beginIncarnation(DEMO, BEGIN)).toBe(1);
  expect(registry.beginIncarnation(DEMO, BEGIN)).toBe(2);
  expect(registry.beginIncarnation(DEMO, { ...BEGIN, atLeast: epoch(40) })).toBe(41);
  expect(registry.beginIncarnation(DEMO, { ...BEGIN, atLeast: epoch(7) })).toBe(42);
  expect(registry.findSession(DEMO)?.epoch).toBe(42);
  expect(registry.incarnations(DEMO, 3).map((one) => one.epoch)).toEqual([42, 41, 2]);
});

test('an incarnation of a session that is not there is refused', () => {
  const registry = openedRegistry();
  expect(() => registry.beginIncarnation(DEMO, BEGIN)).toThrow(expect.objectContaining({ code: 'not_found' }));
});

test('F27: an incarnation is recorded from its begin to its end, and survives a new start of the host', () => {
  const dataDir = temporaryDir();
  const before = openedRegistry(dataDir);
  created(before, 'demo/first');
  before.beginIncarnation(DEMO, BEGIN);
  const begun = {
    session: DEMO,
    epoch: 1,
    containerId: null,
    specHash: 'hash',
    begunAtMs: 100,
    startedAtMs: null,
    stoppedAtMs: null,
    stopReason: null,
    exitCode: null,
    signal: null,
    oomKilled: false,
    claimed: false,
    fruitless: null,
    turnsCompleted: 0,
    answersMark: 3,
    output: null,
  };
  expect(before.openIncarnations()).toEqual([begun]);
  before.confirmStart(DEMO, epoch(1), containerId('c1'), 150);
  before.markClaimed(DEMO, epoch(1));
  before.markStopping(DEMO, epoch(1), 'stale_and_stuck');
  before.endIncarnation(DEMO, epoch(1), END);
  before.close();

  const after = openedRegistry(dataDir);
  expect(after.openIncarnations()).toEqual([]);
  expect(after.findIncarnation(DEMO, epoch(1))).toEqual({
    ...begun,
    ...END,
    containerId: 'c1',
    startedAtMs: 150,
    stopReason: 'stale_and_stuck',
    claimed: true,
  });
  expect(after.findIncarnation(DEMO, epoch(2))).toBeUndefined();
});

test('the first end of an incarnation counts', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  registry.beginIncarnation(DEMO, BEGIN);
  registry.endIncarnation(DEMO, epoch(1), END);
  registry.endIncarnation(DEMO, epoch(1), { ...END, exitCode: null, output: '', stoppedAtMs: 999 });
  expect(registry.findIncarnation(DEMO, epoch(1))).toMatchObject({ exitCode: 137, stoppedAtMs: 300 });
});

test('F27: of the output the last 64 KiB are kept, cut between characters', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  registry.beginIncarnation(DEMO, BEGIN);
  registry.endIncarnation(DEMO, epoch(1), { ...END, output: `${'\u{1F680}'.repeat(20_000)}x` });
  const { output } = registry.findIncarnation(DEMO, epoch(1)) ?? {};
  expect(output).toBe(`${'\u{1F680}'.repeat(16_383)}x`);
});

test('an adopted incarnation that a restored registry does not know is recorded, and the epoch raised to it', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  const facts = { epoch: epoch(12), containerId: containerId('c'), specHash: 'old', startedAtMs: 50 };
  registry.adoptIncarnation(DEMO, facts);
  expect(registry.openIncarnations()).toMatchObject([{ epoch: 12, containerId: 'c', startedAtMs: 50, claimed: false }]);
  registry.adoptIncarnation(DEMO, { ...facts, epoch: epoch(5) });
  expect(registry.findSession(DEMO)?.epoch).toBe(12);
  expect(registry.beginIncarnation(DEMO, BEGIN)).toBe(13);
});

test('an incarnation that was taken for ended but runs is open again, its claim remembered', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first');
  registry.beginIncarnation(DEMO, BEGIN);
  registry.markClaimed(DEMO, epoch(1));
  registry.endIncarnation(DEMO, epoch(1), END);
  registry.adoptIncarnation(DEMO, {
    epoch: epoch(1),
    containerId: containerId('c'),
    specHash: 'hash',
    startedAtMs: 50,
  });
  expect(registry.openIncarnations()).toMatchObject([{ epoch: 1, claimed: true, answersMark: 3, exitCode: null }]);
});

test('F31: what containers said is kept of the last 3 runs of a session, and its last 100 runs', () => {
  const registry = openedRegistry();
  created(registry, 'demo/first', 'demo/other');
  const other = address('demo/other');
  registry.endIncarnation(other, registry.beginIncarnation(other, BEGIN), END);
  for (let run = 1; run <= 120; run += 1) registry.endIncarnation(DEMO, registry.beginIncarnation(DEMO, BEGIN), END);
  const kept = registry.incarnations(DEMO, 1_000);
  expect(kept.map((one) => one.epoch)).toEqual(Array.from({ length: 100 }, (_, index) => 120 - index));
  expect(kept.filter(({ output }) => output !== null).map((one) => one.epoch)).toEqual([120, 119, 118]);
  expect(registry.incarnations(other, 10)).toMatchObject([{ output: 'last words' }]);
});
