import { describe, expect, test } from 'vitest';
import type { FilesFacts } from '../../../src/core/facts.js';
import { instantOf, livenessAgeMs, noteLook, startOf, unchangedForMs } from '../../../src/core/memory.js';
import type { RunningMemory } from '../../../src/core/memory.js';
import { acked, DAY, due, facts, foreign, HOUR, idOf, MONOTONIC, NOW, running, SECOND, state } from './builders.js';

/** Looks one after another; each so many milliseconds after NOW, by both clocks unless `wallMs` says otherwise. */
function looks(
  ...steps: readonly (Partial<FilesFacts> & { atMs: number; wallMs?: number; epoch?: number })[]
): RunningMemory {
  let memory: RunningMemory | undefined;
  for (const { atMs, wallMs = atMs, epoch = 7, ...over } of steps) {
    memory = noteLook(memory, facts(over), running({ epoch }), NOW + wallMs, MONOTONIC + atMs);
  }
  if (memory === undefined) throw new Error('no look');
  return memory;
}

describe('what is remembered of a running incarnation', () => {
  test('liveness is a change that the host saw', () => {
    const memory = looks(
      { atMs: 0, heartbeatMtimeMs: NOW - SECOND },
      { atMs: 10, heartbeatMtimeMs: NOW - SECOND },
      { atMs: 20, heartbeatMtimeMs: NOW + 15 },
      { atMs: 30, heartbeatMtimeMs: NOW + 15 },
    );
    expect(memory.heartbeat).toEqual({ valueMs: NOW + 15, seenAtMs: NOW + 20, changedAtMonotonicMs: MONOTONIC + 20 });
    expect(unchangedForMs(memory.heartbeat, MONOTONIC + 30)).toBe(10);
    expect(livenessAgeMs(memory, NOW + 30)).toBe(15);
  });

  test('F3: a new incarnation starts with an empty memory', () => {
    const heartbeatMtimeMs = NOW - HOUR;
    const memory = looks({ atMs: 0, heartbeatMtimeMs, epoch: 6 }, { atMs: 50, heartbeatMtimeMs, epoch: 7 });
    expect(memory).toMatchObject({ epoch: 7, heartbeat: { changedAtMonotonicMs: MONOTONIC + 50 } });
  });

  test('F4: without a heartbeat liveness counts from the start', () => {
    expect(livenessAgeMs(looks({ atMs: 0 }), NOW)).toBe(2 * HOUR);
  });

  test('F3: so it does with a heartbeat that is older than the start', () => {
    expect(livenessAgeMs(looks({ atMs: 0, heartbeatMtimeMs: NOW - DAY }), NOW)).toBe(2 * HOUR);
  });

  test('F15: a value in the future counts as of its first sighting', () => {
    const memory = looks({ atMs: 0, heartbeatMtimeMs: NOW + DAY }, { atMs: 500, heartbeatMtimeMs: NOW + DAY });
    expect(instantOf(memory.heartbeat)).toBe(NOW);
    expect(livenessAgeMs(memory, NOW + 500)).toBe(500);
    expect(livenessAgeMs(memory, NOW - 500), 'never negative').toBe(0);
  });

  test('F34: a clock that is set back by a year exempts nobody for a year', () => {
    const beat = { heartbeatMtimeMs: NOW - SECOND, acked: [acked()] };
    const memory = looks({ atMs: 0, ...beat }, { atMs: 10, wallMs: -365 * DAY, ...beat });
    const later = NOW - 365 * DAY + HOUR;
    expect(livenessAgeMs(memory, later)).toBe(HOUR);
    expect(startOf(memory)).toBe(NOW - 365 * DAY);
    expect([...memory.claims.values()]).toEqual([{ atMs: NOW - 365 * DAY, atMonotonicMs: MONOTONIC }]);
  });
});

describe('container_state', () => {
  const said = { progressAtMs: NOW - 5, currentTool: 'bash', toolStartedAtMs: NOW - 6, heartbeatIntervalMs: 1_000 };

  test.each([
    ['of this incarnation', { incarnation: 7 }, true],
    ['without an incarnation', { incarnation: null }, true],
    ['of an older incarnation', { incarnation: 6 }, false],
    ['of an incarnation that was never begun', { incarnation: 8 }, false],
    ['without an incarnation, the clock was set back since', { incarnation: null, updatedAtMs: NOW - DAY }, true],
    ['without an incarnation and a readable time', { incarnation: null, updatedAtMs: null }, true],
  ])('F3: %s', (_, over, counts) => {
    const memory = looks({ atMs: 0, containerState: state({ ...said, ...over }) });
    expect(memory.progress.valueMs).toBe(counts ? NOW - 5 : null);
    expect(memory.toolStart.valueMs).toBe(counts ? NOW - 6 : null);
    expect(memory.heartbeatIntervalMs).toBe(counts ? 1_000 : null);
  });
});

test('a tool that is not named does not run, whenever it is said to have started', () => {
  const memory = looks({ atMs: 0, containerState: state({ currentTool: null, toolStartedAtMs: NOW - 6 }) });
  expect(memory.toolStart.valueMs).toBeNull();
});

describe('claims', () => {
  test('are first seen by message and attempt, and forgotten when they are gone', () => {
    const first = { acked: [acked({ attempt: 1 }, { attempt: 1 })] };
    const again = { acked: [acked({ attempt: 2 }, { attempt: 2 })] };
    expect([...looks({ atMs: 0, ...first }, { atMs: 9, ...again }).claims]).toEqual([
      ['m1 2', { atMs: NOW + 9, atMonotonicMs: MONOTONIC + 9 }],
    ]);
    expect(looks({ atMs: 0, ...first }, { atMs: 9 }).claims.size).toBe(0);
  });

  test('of a foreign runner are known by the attempt of their message', () => {
    const claim = { acked: [acked(foreign(), { attempt: 3 })] };
    expect([...looks({ atMs: 0, ...claim }).claims.keys()]).toEqual(['m1 3']);
  });
});

describe('turns', () => {
  test('have begun where their ack is of the present attempt', () => {
    const found = {
      acked: [acked({ attempt: 1 }, { attempt: 2 }), acked({ attempt: 3 }, { id: idOf('m2'), attempt: 3 })],
    };
    expect([...looks({ atMs: 0, ...found }).begun.keys()]).toEqual(['m2 3']);
  });

  test('have ended where they are acknowledged or recorded, not while they run', () => {
    const rows = [acked(), acked({ status: 'completed' }, { id: idOf('m2') })];
    const counts = { ...facts().counts, completed: 20, failed: 300 };
    expect(looks({ atMs: 0, acked: rows, counts }).turnsEnded).toBe(321);
  });
});

describe('times without work', () => {
  test('idle counts from the first of the looks that saw neither claim nor due work', () => {
    const memory = looks({ atMs: 0, acked: [acked()] }, { atMs: 10 }, { atMs: 20 });
    expect(memory.idleSinceMonotonicMs).toBe(MONOTONIC + 10);
    expect(looks({ atMs: 0 }, { atMs: 10, acked: [acked()] }).idleSinceMonotonicMs).toBeNull();
    expect(looks({ atMs: 0 }, { atMs: 10, ...due(NOW) }).idleSinceMonotonicMs).toBeNull();
  });

  test('due work without a claim counts the same way', () => {
    const memory = looks({ atMs: 0 }, { atMs: 10, ...due(NOW) }, { atMs: 20, ...due(NOW) });
    expect(memory.unclaimedSinceMonotonicMs).toBe(MONOTONIC + 10);
    expect(
      looks({ atMs: 0, ...due(NOW) }, { atMs: 5, acked: [acked()], ...due(NOW) }).unclaimedSinceMonotonicMs,
    ).toBeNull();
  });

  test('a turn that came and went between two looks starts both anew', () => {
    const ended = { counts: { ...facts().counts, completed: 1 } };
    expect(looks({ atMs: 0 }, { atMs: 10, ...ended }, { atMs: 20, ...ended }).idleSinceMonotonicMs).toBe(
      MONOTONIC + 10,
    );
  });

  test('an ack that is synced in between is no new turn', () => {
    const unsynced = { acked: [acked({ status: 'completed' })] };
    const synced = { counts: { ...facts().counts, completed: 1 } };
    expect(looks({ atMs: 0, ...unsynced }, { atMs: 10, ...synced }).idleSinceMonotonicMs).toBe(MONOTONIC);
  });
});
