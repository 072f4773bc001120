import { describe, expect, test } from 'vitest';
import {
  freshGuard,
  guardAfterClaim,
  guardAfterEnd,
  guardAfterMessages,
  guardAfterStart,
  isFruitless,
  releaseGuard,
  startPermission,
} from '../../../src/core/guard.js';
import type { GuardedEnd, GuardState } from '../../../src/core/guard.js';
import { HOUR, MINUTE, NOW, POLICY, SECOND } from './builders.js';

const FRUITLESS: GuardedEnd = { fruitless: true, oomKilled: false, hostCaused: false };
const WORKED: GuardedEnd = { fruitless: false, oomKilled: false, hostCaused: false };
const OOM: GuardedEnd = { fruitless: false, oomKilled: true, hostCaused: false };
const BY_HOST: GuardedEnd = { fruitless: false, oomKilled: false, hostCaused: true };

function after(ends: readonly GuardedEnd[], guard = freshGuard()): GuardState {
  return ends.reduce((state, end) => guardAfterEnd(state, end, POLICY, NOW), guard);
}

function heldFor(reason: 'fruitless_starts' | 'oom_kills' | 'settled_failures'): GuardState {
  if (reason === 'fruitless_starts') return after([FRUITLESS, FRUITLESS, FRUITLESS, FRUITLESS]);
  if (reason === 'oom_kills') return after([OOM, OOM]);
  return guardAfterMessages(freshGuard(), { settledFailed: 3, completed: 0 }, NOW);
}

describe('L17, F7: starts that end before a claim', () => {
  test('a first start and three restarts, 1, 2 and 4 s apart, then the session is held', () => {
    let guard = freshGuard();
    let nowMs = NOW;
    const startedAfterMs: number[] = [];
    for (let step = 0; guard.heldSinceMs === null && step < 20; step += 1) {
      const permission = startPermission(guard, POLICY, nowMs);
      if (permission.kind === 'wait') {
        expect(permission.reason).toBe('restart_backoff');
        nowMs = permission.untilMs;
        continue;
      }
      expect(permission).toEqual({ kind: 'allowed', reason: 'due' });
      startedAfterMs.push(nowMs - NOW);
      guard = guardAfterEnd(guardAfterStart(guard, POLICY, nowMs), FRUITLESS, POLICY, nowMs);
    }
    expect(startedAfterMs).toEqual([0, 1_000, 3_000, 7_000]);
    expect(guard).toMatchObject({ fruitless: 4, holdReason: 'fruitless_starts', heldSinceMs: NOW + 7_000 });
  });

  test('a session that is held and probed in vain for days keeps a wait that can be recorded', () => {
    const guard = after(Array.from({ length: 2_000 }, () => FRUITLESS));
    expect(guard).toMatchObject({ fruitless: 2_000, holdReason: 'fruitless_starts' });
    // The longest that GUARD_MAX_RESTARTS asks for.
    expect(guard.notBeforeMs).toBe(NOW + 2 ** 19 * SECOND);
  });

  test('without restarts the first one holds', () => {
    const guard = guardAfterEnd(freshGuard(), FRUITLESS, { ...POLICY, guardMaxRestarts: 0 }, NOW);
    expect(guard.holdReason).toBe('fruitless_starts');
  });

  test('a restart is allowed exactly when its wait is over', () => {
    const guard = after([FRUITLESS]);
    expect(startPermission(guard, POLICY, NOW + 999).kind).toBe('wait');
    expect(startPermission(guard, POLICY, NOW + 1_000).kind).toBe('allowed');
  });

  test('a held session gets one probe per GUARD_PROBE_MS', () => {
    let guard = heldFor('fruitless_starts');
    const untilMs = NOW + 15 * MINUTE;
    expect(startPermission(guard, POLICY, NOW)).toEqual({ kind: 'wait', reason: 'held', untilMs });
    expect(startPermission(guard, POLICY, untilMs)).toEqual({ kind: 'allowed', reason: 'probe' });
    guard = guardAfterEnd(guardAfterStart(guard, POLICY, untilMs), FRUITLESS, POLICY, untilMs + SECOND);
    expect(guard).toMatchObject({ heldSinceMs: NOW, holdReason: 'fruitless_starts' });
    expect(startPermission(guard, POLICY, untilMs + SECOND)).toMatchObject({ untilMs: untilMs + 15 * MINUTE });
  });

  test('a claim ends the row and the hold', () => {
    expect(guardAfterClaim(heldFor('fruitless_starts'))).toEqual(freshGuard());
    expect(guardAfterClaim(after([FRUITLESS, FRUITLESS]))).toEqual(freshGuard());
    expect(after([FRUITLESS, FRUITLESS, WORKED])).toEqual(freshGuard());
  });

  test('ends that the host causes change nothing', () => {
    const guard = after([FRUITLESS, FRUITLESS]);
    expect(guardAfterEnd(guard, BY_HOST, POLICY, NOW)).toEqual(guard);
    expect(guardAfterEnd(guard, { ...BY_HOST, oomKilled: true }, POLICY, NOW)).toEqual(guard);
  });

  test('a start of a session that is not held leaves the guard alone', () => {
    expect(guardAfterStart(freshGuard(), POLICY, NOW)).toEqual(freshGuard());
  });

  test('F34: a clock that is set back by a day does not hold a session for a day', () => {
    const dayBefore = NOW - 24 * HOUR;
    expect(startPermission(after([FRUITLESS]), POLICY, dayBefore).kind).toBe('allowed');
    expect(startPermission(heldFor('fruitless_starts'), POLICY, dayBefore)).toEqual({
      kind: 'allowed',
      reason: 'probe',
    });
  });
});

describe('L17: messages that failed by settling', () => {
  test('three in a row hold the session', () => {
    const two = guardAfterMessages(freshGuard(), { settledFailed: 2, completed: 0 }, NOW);
    expect(two).toEqual({ ...freshGuard(), settledFailures: 2 });
    const three = guardAfterMessages(two, { settledFailed: 1, completed: 0 }, NOW);
    expect(three).toMatchObject({ settledFailures: 3, heldSinceMs: NOW, holdReason: 'settled_failures' });
    expect(guardAfterMessages(three, { settledFailed: 1, completed: 0 }, NOW + 1).heldSinceMs).toBe(NOW);
  });

  test('a completed one ends the row, before what the same look settled', () => {
    const two = guardAfterMessages(freshGuard(), { settledFailed: 2, completed: 0 }, NOW);
    expect(guardAfterMessages(two, { settledFailed: 2, completed: 1 }, NOW)).toMatchObject({
      settledFailures: 2,
      heldSinceMs: null,
    });
    expect(guardAfterMessages(two, { settledFailed: 3, completed: 1 }, NOW).holdReason).toBe('settled_failures');
  });

  test('a completed one ends its hold, a claim does not', () => {
    const guard = heldFor('settled_failures');
    expect(guardAfterClaim(guard)).toEqual(guard);
    expect(guardAfterMessages(guard, { settledFailed: 0, completed: 1 }, NOW)).toEqual(freshGuard());
  });

  test('its probes are GUARD_PROBE_MS apart from the hold on', () => {
    expect(startPermission(heldFor('settled_failures'), POLICY, NOW + 1)).toMatchObject({ untilMs: NOW + 15 * MINUTE });
  });
});

describe('F27: kills for memory', () => {
  test('two in a row hold the session, whether or not they claimed', () => {
    expect(after([OOM])).toEqual({ ...freshGuard(), oomKills: 1 });
    expect(heldFor('oom_kills')).toMatchObject({ oomKills: 2, heldSinceMs: NOW, holdReason: 'oom_kills' });
    expect(after([OOM, { ...OOM, fruitless: true }])).toMatchObject({ holdReason: 'oom_kills', fruitless: 1 });
  });

  test('any other end in between breaks the row', () => {
    expect(after([OOM, WORKED, OOM]).heldSinceMs).toBeNull();
    expect(after([OOM, BY_HOST, OOM]).heldSinceMs).toBeNull();
    expect(after([OOM, FRUITLESS, OOM]).holdReason).toBeNull();
  });

  test('claims and answers do not end the hold, an incarnation that keeps its memory does', () => {
    const guard = heldFor('oom_kills');
    expect(guardAfterClaim(guard)).toEqual(guard);
    expect(guardAfterMessages(guard, { settledFailed: 0, completed: 5 }, NOW)).toEqual(guard);
    expect(after([WORKED], guard)).toEqual(freshGuard());
  });
});

test('an operator releases whatever holds', () => {
  expect(releaseGuard()).toEqual(freshGuard());
});

describe('F7: whether a start was fruitless', () => {
  const nothing = { claimed: false, sawAckOfIncarnation: false, answered: false, stopReason: null };

  test.each([
    ['it ended by itself without a sign', nothing, true],
    ['it was stopped because it did not claim', { ...nothing, stopReason: 'not_claiming' }, true],
    ['it claimed', { ...nothing, claimed: true }, false],
    ['it acknowledged', { ...nothing, sawAckOfIncarnation: true }, false],
    ['it answered', { ...nothing, answered: true }, false],
    ['the engine restarted', { ...nothing, engineRestarted: true }, false],
  ] as const)('%s', (_, incarnation, expected) => {
    expect(isFruitless(incarnation)).toBe(expected);
  });

  test.each(['idle', 'yielded', 'recycled', 'drained', 'replaced', 'suspended', 'engine_restart'] as const)(
    'the host ended it as %s',
    (stopReason) => {
      expect(isFruitless({ ...nothing, stopReason })).toBe(false);
    },
  );
});
