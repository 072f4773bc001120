import { describe, expect, test } from 'vitest';
import { isChange } from '../../../src/core/action.js';
import { freshGuard, guardAfterMessages } from '../../../src/core/guard.js';
import type { FilesObservation, SessionObservation } from '../../../src/core/observation.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import {
  acked,
  CONTEXT,
  DAY,
  due,
  facts,
  HOUR,
  idOf,
  MINUTE,
  NOW,
  observe,
  POLICY,
  running,
  said,
  SECOND,
} from './builders.js';

function plan(observation: SessionObservation) {
  return planSession(observation, POLICY, CONTEXT);
}

const DUE = facts(due(NOW - SECOND));
const ALIVE = { ...facts(due(NOW - SECOND)), heartbeatMtimeMs: NOW };

describe('waking', () => {
  test('a session with due work and no container is woken', () => {
    expect(plan(observe(DUE))).toEqual([{ kind: 'wake', reason: 'due', dueSinceMs: NOW - SECOND }]);
  });

  test('nothing is said where nothing is due, or where a container runs', () => {
    expect(plan(observe(facts()))).toEqual([]);
    expect(plan(observe(ALIVE, { container: running() }))).toEqual([]);
  });

  test.each([
    ['suspended', 'the session is suspended', { status: 'suspended' }],
    ['closed', 'the session is closed', { status: 'closed' }],
    ['blocked', 'its container could not be stopped', { blocked: true }],
    ['draining', 'the daemon is draining', { draining: true }],
    ['runtime_unknown', 'the runtime does not answer', { container: { kind: 'unknown' } }],
    ['in_flight', 'a start or stop is in flight', { container: { kind: 'in_flight' } }],
  ] as const)('not while %s, and says so: %s', (reason, detail, over) => {
    expect(plan(observe(DUE, over))).toEqual([{ kind: 'wait', reason, untilMs: null, detail }]);
    expect(plan(observe(facts(), over)), 'but only where something is due').toEqual([]);
  });

  test('L18: not while its provider limits us, but as the one that tries whether it still does', () => {
    const untilMs = NOW + HOUR;
    expect(plan(observe(DUE, { gate: { kind: 'limited', untilMs } }))).toEqual([
      {
        ...{ kind: 'wait', reason: 'provider_limited', untilMs },
        detail: 'its provider limits us: one session at a time tries whether it still does',
      },
    ]);
    expect(plan(observe(DUE, { gate: { kind: 'untried', untilMs } }))).toEqual([
      {
        ...{ kind: 'wait', reason: 'provider_untried', untilMs },
        detail: 'nothing was heard from its provider lately: another session asks it first',
      },
    ]);
    expect(said(plan(observe(DUE, { gate: { kind: 'probe' } })))).toEqual(['wake due']);
    expect(plan(observe(facts(), { gate: { kind: 'limited', untilMs } }))).toEqual([]);
  });

  test('not while its budget is spent, whatever its provider says', () => {
    const untilMs = NOW + HOUR;
    const budget = { kind: 'spent', untilMs, detail: '3 of 3 turns an hour' } as const;
    for (const gate of [{ kind: 'open' }, { kind: 'probe' }, { kind: 'limited', untilMs: NOW + DAY }] as const) {
      expect(plan(observe(DUE, { budget, gate }))).toEqual([
        { kind: 'wait', reason: 'budget_spent', untilMs, detail: '3 of 3 turns an hour' },
      ]);
    }
    expect(plan(observe(facts(), { budget }))).toEqual([]);
  });

  test('L17: not before the restart guard allows it', () => {
    const guard = { ...freshGuard(), fruitless: 3, notBeforeMs: NOW + SECOND };
    expect(plan(observe(DUE, { guard }))).toEqual([
      { kind: 'wait', reason: 'restart_backoff', untilMs: NOW + SECOND, detail: '3 fruitless starts in a row' },
    ]);
  });

  test('L17: a held session waits for its next probe', () => {
    const guard = { ...freshGuard(), heldSinceMs: NOW - HOUR, holdReason: 'oom_kills' as const };
    const untilMs = NOW + MINUTE;
    expect(plan(observe(DUE, { guard: { ...guard, nextProbeAtMs: untilMs } }))).toEqual([
      { kind: 'wait', reason: 'held', untilMs, detail: 'oom_kills' },
    ]);
    expect(plan(observe(DUE, { guard: { ...guard, nextProbeAtMs: NOW } }))).toMatchObject([
      { kind: 'wake', reason: 'probe' },
    ]);
  });
});

describe('L17: the third message in a row that fails by settling', () => {
  const guard = guardAfterMessages(freshGuard(), { settledFailed: 2, completed: 0 }, NOW);
  const spent = facts({ ...due(NOW - SECOND), acked: [acked({}, { tries: 5 })] });

  test('L19a: turns that an outage cut off long ago do not count', () => {
    const old = facts({ acked: [acked({ atMs: NOW - 7 * HOUR })], due: facts().due });
    const actions = plan(observe(old, { guard, leftBehind: true }));
    expect(said(actions)).toEqual(['fail stale_active']);
  });

  test('holds the session before anything else is woken', () => {
    expect(said(plan(observe(spent, { guard })))).toEqual(['fail tries_spent', 'hold settled_failures', 'wait held']);
  });

  test.each([
    ['fails by its ack', { status: 'failed', errorClass: 'fatal' }, 'fail fatal'],
    ['is tried again', {}, 'retry unfinished_turn'],
  ] as const)('does not hold where it %s', (_, ackOver, expected) => {
    const found = facts({ ...due(NOW - SECOND), acked: [acked(ackOver)] });
    expect(said(plan(observe(found, { guard })))).toEqual([expected, 'wake due']);
  });

  test('does not, where another one completed before it', () => {
    const completed = acked({ status: 'completed' }, { id: idOf('m0') });
    const found = { ...spent, acked: [completed, ...spent.acked] };
    expect(said(plan(observe(found, { guard })))).toEqual(['complete acked', 'fail tries_spent', 'wake due']);
  });
});

describe('stops that the host wants', () => {
  const idle = { ...facts(), heartbeatMtimeMs: NOW };
  const busy = { ...idle, acked: [acked()] };

  test.each([
    ['suspended', { status: 'suspended' }, {}],
    ['closed', { status: 'closed' }, {}],
    ['drained', { draining: true }, {}],
    ['replaced', {}, { outdated: true }],
  ] as const)('F39: as %s: between turns at once, a turn is waited for', (reason, over, outdated) => {
    const container = running(outdated);
    expect(plan(observe(idle, { ...over, container }))).toEqual([
      { kind: 'stop', reason, detail: 'it holds no claim' },
    ]);
    expect(plan(observe(busy, { ...over, container }))).toEqual([
      { kind: 'wait', reason: 'turn_running', untilMs: null, detail: `${reason}: 1 claims held` },
    ]);
  });

  test('an outdated container with due work is replaced before it claims more', () => {
    expect(said(plan(observe(ALIVE, { container: running({ outdated: true }) })))).toEqual(['stop replaced']);
  });

  test('claims of an older incarnation are no turn', () => {
    const found = { ...idle, acked: [acked({ incarnation: 6 })] };
    expect(said(plan(observe(found, { draining: true, container: running() })))).toEqual(['stop drained']);
  });

  test('a stop for cause goes before', () => {
    const silent = facts({ acked: [acked({ atMs: NOW - HOUR })] });
    const observation = observe(silent, { container: running(), draining: true, watchedForMs: HOUR });
    expect(said(plan(observation))).toEqual(['stop stale_and_stuck']);
  });

  test('both waits are told where neither stops', () => {
    const silent = facts({ acked: [acked({ atMs: NOW - HOUR })] });
    const observation = observe(silent, { container: running(), draining: true, watchedForMs: HOUR });
    const actions = planSession(observation, POLICY, { ...CONTEXT, stalenessWaits: 'late_round' });
    expect(said(actions)).toEqual(['wait staleness_waits', 'wait turn_running']);
  });
});

describe('files that cannot be read', () => {
  const planWith = (files: FilesObservation, over: Partial<SessionObservation> = {}) =>
    plan(observe(DUE, { ...over, files }));
  const with_ = (files: FilesObservation, over: Partial<SessionObservation> = {}) => said(planWith(files, over));
  const hostile: FilesObservation = { kind: 'hostile', file: 'outbound.db', detail: 'a link' };
  const corrupt: FilesObservation = { kind: 'corrupt', file: 'outbound.db', detail: 'NOTADB' };
  const busy = (forMs: number): FilesObservation => ({ kind: 'busy', forMs, detail: 'outbound.db is locked' });

  test('F1: hostile: the session is quarantined, then its container stopped', () => {
    expect(with_(hostile)).toEqual(['quarantine hostile']);
    expect(with_(hostile, { container: running() })).toEqual(['quarantine hostile', 'stop hostile']);
  });

  test('F1: a quarantined session is left alone, and must not run', () => {
    expect(with_(hostile, { quarantined: true })).toEqual(['wait quarantined']);
    expect(with_({ kind: 'unread' }, { quarantined: true, container: running() })).toEqual(['stop hostile']);
  });

  test('F1: corrupt: stopped first, replaced once nothing runs', () => {
    expect(with_(corrupt, { container: running() })).toEqual(['stop corrupt']);
    expect(with_(corrupt)).toEqual(['replace_file corrupt']);
    expect(with_(corrupt, { container: { kind: 'unknown' } })).toEqual(['wait runtime_unknown']);
    expect(with_(corrupt, { container: { kind: 'in_flight' } })).toEqual(['wait in_flight']);
  });

  test('F1: what is wrong with which file is told with all that is done, or waits, for it', () => {
    const [file, detail] = ['outbound.db', 'outbound.db: NOTADB'];
    expect(planWith(hostile, { container: running() })).toEqual([
      { kind: 'quarantine', reason: 'hostile', file, detail: 'a link' },
      { kind: 'stop', reason: 'hostile', detail: 'outbound.db: a link' },
    ]);
    expect(planWith(corrupt, { container: running() })).toEqual([{ kind: 'stop', reason: 'corrupt', detail }]);
    expect(planWith(corrupt)).toEqual([{ kind: 'replace_file', reason: 'corrupt', file, detail: 'NOTADB' }]);
    for (const [kind, reason] of [
      ['unknown', 'runtime_unknown'],
      ['in_flight', 'in_flight'],
    ] as const) {
      expect(planWith(corrupt, { container: { kind } })).toEqual([{ kind: 'wait', reason, untilMs: null, detail }]);
    }
    expect(planWith(hostile, { quarantined: true })).toEqual([
      { kind: 'wait', reason: 'quarantined', untilMs: null, detail: 'until an operator releases it' },
    ]);
    expect(planWith(hostile, { quarantined: true, container: running() })).toEqual([
      { kind: 'stop', reason: 'hostile', detail: 'the session is quarantined' },
    ]);
    expect(planWith(busy(SECOND))).toEqual([
      { kind: 'wait', reason: 'files_busy', untilMs: null, detail: 'outbound.db is locked' },
    ]);
    expect(planWith(busy(45 * SECOND), { container: running() })).toEqual([
      { kind: 'stop', reason: 'locked', detail: 'its files are locked for 45000 ms: outbound.db is locked' },
    ]);
  });

  test('F13: locked for longer than LOCKED_STOP_MS: the holder is stopped', () => {
    const container = running();
    expect(with_(busy(30 * SECOND), { container })).toEqual(['wait files_busy']);
    expect(with_(busy(30 * SECOND + 1), { container })).toEqual(['stop locked']);
    expect(with_(busy(HOUR))).toEqual(['wait files_busy']);
  });

  test('for how long is said in whole milliseconds: the monotonic clock has fractions', () => {
    const [action] = plan(observe(DUE, { container: running(), files: busy(30_001.4) }));
    expect(action).toMatchObject({ detail: 'its files are locked for 30001 ms: outbound.db is locked' });
  });

  test('F3: but not within the grace of its start', () => {
    for (const startedAtMs of [NOW, NOW - MINUTE]) {
      expect(with_(busy(45 * SECOND), { container: running({ startedAtMs }) })).toEqual(['wait files_busy']);
    }
    expect(with_(busy(45 * SECOND), { container: running({ startedAtMs: NOW - MINUTE - 1 }) })).toEqual([
      'stop locked',
    ]);
  });

  test('F34: a start in the future is no grace', () => {
    expect(with_(busy(45 * SECOND), { container: running({ startedAtMs: NOW + HOUR }) })).toEqual(['stop locked']);
  });

  test('what was not looked at is not acted upon', () => {
    expect(with_({ kind: 'unread' })).toEqual([]);
    expect(with_({ kind: 'unread' }, { container: running(), draining: true })).toEqual([]);
  });
});

test('waiting is the only action that changes nothing', () => {
  const actions = plan(observe(DUE, { blocked: true }));
  expect(actions.map(isChange)).toEqual([false]);
  expect(plan(observe(DUE)).map(isChange)).toEqual([true]);
});
