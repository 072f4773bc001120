import { describe, expect, test } from 'vitest';
import { claimMark } from '../../../src/core/claims.js';
import { planReplaced } from '../../../src/core/plan/settle.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import type { Action } from '../../../src/core/action.js';
import type { FilesFacts } from '../../../src/core/facts.js';
import type { LastEnd, SessionObservation } from '../../../src/core/observation.js';
import type { Policy } from '../../../src/core/policy.js';
import type { MessageRow } from '../../../src/protocol/rows.js';
import {
  ack,
  acked,
  CONTEXT,
  due,
  facts,
  foreign,
  HOUR,
  idOf,
  message,
  NOW,
  observe,
  only,
  POLICY,
  running,
  said,
  state,
} from './builders.js';
import type { AckSpec } from './builders.js';

function settle(
  ackOver: AckSpec = {},
  messageOver: Partial<MessageRow> = {},
  over: Partial<SessionObservation> = {},
  { policy = POLICY, answered = false }: { policy?: Policy; answered?: boolean } = {},
) {
  return planSession(observe(facts({ acked: [acked(ackOver, messageOver, answered)] }), over), policy, CONTEXT);
}

const crashed: LastEnd = { stopReason: null, exitCode: 1 };

describe('a claim that an outage left behind', () => {
  const left = (atMs: number, more: Partial<FilesFacts> = {}, policy = POLICY) =>
    planSession(observe(facts({ acked: [acked({ atMs })], ...more }), { leftBehind: true }), policy, CONTEXT);

  test('L19a: ends as a dead letter after 6 h without a sign of life, with its mark and its reason', () => {
    const atMs = NOW - 6 * HOUR - 1;
    const statusChanged = new Date(atMs).toISOString();
    expect(left(atMs)).toEqual([
      {
        ...{ kind: 'fail', reason: 'stale_active', by: 'settle', messageId: 'm1' },
        change: {
          id: 'm1',
          expect: { attempt: 0, tries: 0 },
          set: {
            ...{ status: 'failed', finishedAtMs: NOW, errorClass: 'stale_active' },
            error: 'its turn was cut off by an outage, and nothing was heard of it for over 6 h',
            settledClaim: `7:0:${statusChanged}`,
          },
        },
        claim: { messageId: 'm1', statusChanged, attempt: 0 },
      },
    ]);
  });

  test.each<[string, readonly Action[]]>([
    ['is exactly 6 h old', left(NOW - 6 * HOUR)],
    ['is of a container that beat since', left(NOW - 7 * HOUR, { heartbeatMtimeMs: NOW - HOUR })],
    [
      'is of a container that wrote since',
      left(NOW - 7 * HOUR, { containerState: state({ updatedAtMs: NOW - HOUR }) }),
    ],
    ['may be retried by the settings', left(NOW - 7 * HOUR, {}, { ...POLICY, staleActive: 'retry' })],
    ['has no time that can be read', left(NOW, { acked: [acked({ statusChanged: 'soon' })] })],
  ])('L19a: is tried again where it %s', (_, actions) => {
    expect(said(actions)).toEqual(['retry unfinished_turn']);
  });

  test('L19a: says the time of the settings', () => {
    const [action] = left(NOW - 7 * HOUR, {}, { ...POLICY, staleActiveMs: 1.5 * HOUR });
    expect(
      only(
        [action].filter((one) => one !== undefined),
        'fail',
      )[0]?.change.set.error,
    ).toContain('over 1.5 h');
  });

  test('L19a: is tried again where this process saw its container run', () => {
    expect(said(settle({ atMs: NOW - 7 * HOUR }))).toEqual(['retry unfinished_turn']);
  });

  test('L19a: is a dead letter whatever the host had ended it for', () => {
    const lastEnd: LastEnd = { stopReason: 'drained' };
    expect(said(settle({ atMs: NOW - 7 * HOUR }, {}, { leftBehind: true, lastEnd }))).toEqual(['fail stale_active']);
  });
});

describe('a claim that was left behind', () => {
  test('F7: is retried after its backoff, with a try spent, a higher attempt and its mark', () => {
    const actions = settle({ statusChanged: '2026-03-14T11:59:00.000Z', attempt: 3 }, { tries: 1, attempt: 3 });
    expect(actions).toEqual([
      {
        kind: 'retry',
        reason: 'unfinished_turn',
        by: 'settle',
        messageId: 'm1',
        dueAtMs: NOW + 10_000,
        change: {
          id: 'm1',
          expect: { attempt: 3, tries: 1 },
          set: {
            tries: 2,
            attempt: 4,
            processAfterMs: NOW + 10_000,
            error: 'the turn did not end: its container is gone',
            settledClaim: '7:3:2026-03-14T11:59:00.000Z',
          },
        },
        claim: { messageId: 'm1', statusChanged: '2026-03-14T11:59:00.000Z', attempt: 3 },
        dropAck: false,
      },
    ]);
  });

  test('F7: fails after the fifth retry, with its mark', () => {
    const [failed] = only(settle({}, { tries: 5 }, { lastEnd: crashed }), 'fail');
    expect(failed).toMatchObject({
      reason: 'tries_spent',
      by: 'settle',
      change: {
        set: {
          status: 'failed',
          finishedAtMs: NOW,
          errorClass: 'tries_spent',
          error: 'the turn did not end: its container ended with exit code 1',
          settledClaim: claimMark(7, 0, ack().statusChanged),
        },
      },
      claim: { messageId: 'm1' },
    });
    expect(said(settle({}, { tries: 4 }))).toEqual(['retry unfinished_turn']);
  });

  test.each([
    [null, 'its container is gone'],
    [{ stopReason: null }, 'its container ended'],
    [{ stopReason: null, exitCode: 1, lastOutput: 'boom' }, 'its container ended with exit code 1; last output: boom'],
    [{ stopReason: null, exitCode: 1, lastOutput: '' }, 'its container ended with exit code 1'],
    [{ stopReason: null, exitCode: 137, oomKilled: true }, 'its container was killed out of memory'],
    [{ stopReason: null, exitCode: 137, oomKilled: false }, 'its container ended with exit code 137'],
    [{ stopReason: 'stale_and_stuck', exitCode: 137 }, 'its container was stopped (stale_and_stuck)'],
  ] as const)('its error names the end %j', (lastEnd, expected) => {
    expect(only(settle({}, { tries: 5 }, { lastEnd }), 'fail')[0]?.change.set.error).toBe(
      `the turn did not end: ${expected}`,
    );
  });

  test.each([
    'idle',
    'yielded',
    'recycled',
    'drained',
    'replaced',
    'suspended',
    'closed',
    'orphan',
    'engine_restart',
  ] as const)('an end as %s costs no try and is due at once', (stopReason) => {
    const actions = settle({}, { tries: 5, processAfterMs: NOW - 1 }, { lastEnd: { stopReason } });
    expect(said(actions)).toEqual(['retry host_ended_turn', 'wake due']);
    expect(actions[0]).toMatchObject({ by: 'settle', dueAtMs: NOW, claim: { messageId: 'm1' }, dropAck: false });
    expect(only(actions, 'retry')[0]?.change.set).toEqual({
      attempt: 1,
      processAfterMs: NOW,
      settledClaim: claimMark(7, 0, ack().statusChanged),
    });
  });

  test('beside what is given back the wake counts from what has been due longer', () => {
    const found = facts({ acked: [acked()], ...due(NOW - 5) });
    const actions = planSession(observe(found, { lastEnd: { stopReason: 'idle' } }), POLICY, CONTEXT);
    expect(only(actions, 'wake')).toEqual([{ kind: 'wake', reason: 'due', dueSinceMs: NOW - 5 }]);
  });

  test('what is given back wakes nobody where it is paused or context', () => {
    const over = { lastEnd: { stopReason: 'idle' } } as const;
    expect(said(settle({}, { trigger: false }, over))).toEqual(['retry host_ended_turn']);
    expect(said(settle({}, { status: 'paused' }, over))).toEqual(['retry host_ended_turn']);
  });

  test.each([
    'stale_and_stuck',
    'ceiling',
    'not_claiming',
    'no_progress',
    'turn_timeout',
    'locked',
    'hostile',
    'corrupt',
  ] as const)('a stop for cause, %s, costs a try', (stopReason) => {
    expect(said(settle({}, {}, { lastEnd: { stopReason } }))).toEqual(['retry unfinished_turn']);
  });

  test('a retry is not woken before its backoff, another due message is', () => {
    const found = facts({ acked: [acked()], ...due(NOW - 5) });
    expect(planSession(observe(found), POLICY, CONTEXT)).toMatchObject([
      { kind: 'retry' },
      { kind: 'wake', reason: 'due', dueSinceMs: NOW - 5 },
    ]);
  });

  test.each([
    ['a container runs', { container: running() }],
    ['the runtime does not answer', { container: { kind: 'unknown' } }],
    ['a start or stop is in flight', { container: { kind: 'in_flight' } }],
    ['its container cannot be stopped', { blocked: true }],
  ] as const)('is not touched while %s', (_, over) => {
    expect(settle({}, {}, over)).toEqual([]);
  });

  test.each(['suspended', 'closed'] as const)('is settled in a %s session too', (status) => {
    expect(said(settle({}, {}, { status }))).toEqual(['retry unfinished_turn']);
  });
});

describe('rows that are no claims any more', () => {
  test('an older attempt is forgotten, uncounted', () => {
    expect(settle({ attempt: 1 }, { attempt: 2 })).toEqual([
      {
        kind: 'forget',
        reason: 'older_attempt',
        claim: { messageId: 'm1', statusChanged: ack().statusChanged, attempt: 1 },
      },
    ]);
  });

  test('a claim of no unfinished message is forgotten', () => {
    const found = facts({ strayClaims: [ack({ messageId: idOf('gone') })] });
    expect(planSession(observe(found), POLICY, CONTEXT)).toMatchObject([
      { kind: 'forget', reason: 'no_such_message', claim: { messageId: 'gone' } },
    ]);
  });

  test('a mark whose row is gone is cleared', () => {
    const found = facts({ marksToClear: [idOf('m1')] });
    expect(planSession(observe(found), POLICY, CONTEXT)).toEqual([
      { kind: 'clear', reason: 'claim_row_gone', messageId: 'm1' },
    ]);
  });
});

describe('a host that was killed between counting a claim and deleting its row', () => {
  const own: AckSpec = { attempt: 2 };
  const foreignRow = foreign();

  function counted(row: AckSpec, before: Partial<MessageRow>, lastEnd: LastEnd | null = null): Partial<MessageRow> {
    const [action] = settle(row, before, { lastEnd });
    if (action === undefined || !('change' in action) || action.change === null) throw new Error('nothing was counted');
    return { ...before, ...action.change.set };
  }

  test.each([
    ['own runner', own, { attempt: 2 }],
    ['foreign runner', foreignRow, { attempt: 2 }],
  ])('%s: the claim is recognised as counted, whatever the time', (_, row, before) => {
    const after = counted(row, before);
    expect(after).toMatchObject({ tries: 1, attempt: 3 });
    expect(said(settle(row, after))).toEqual(['forget already_counted']);
  });

  test.each([
    ['own runner', own, { attempt: 2 }],
    ['foreign runner', foreignRow, { attempt: 2 }],
  ])('%s: so is one that the host ended, which spends no try', (_, row, before) => {
    const after = counted(row, before, { stopReason: 'drained' });
    expect(after.tries).toBeUndefined();
    expect(said(settle(row, after, { lastEnd: { stopReason: 'drained' } }))).toEqual(['forget already_counted']);
  });

  test('the dead letter of a foreign runner that is replayed before the row is gone loses no try of its replay', () => {
    const failed = counted(foreignRow, { attempt: 2, tries: 5 });
    const replayed = { ...failed, status: 'pending', tries: 0, attempt: 3 } as const;
    expect(said(settle(foreignRow, replayed))).toEqual(['forget already_counted']);
  });

  test('own runner: an older row that outlives a later incarnation is never counted again', () => {
    const after = counted(own, { attempt: 2 });
    expect(said(settle(own, after, { epoch: 8 }))).toEqual(['forget older_attempt']);
  });

  test('foreign runner: neither is a row that is older than the start of a later incarnation', () => {
    const after = counted(foreignRow, { attempt: 2 });
    const later = { epoch: 8, lastEnd: { stopReason: null, startedAtMs: NOW - 5_000 } };
    expect(said(settle(foreignRow, after, later))).toEqual(['forget already_counted']);
  });

  test.each([
    ['that started in the same second', foreignRow, { startedAtMs: Date.UTC(2026, 2, 14, 11, 59, 50, 700) }],
    ['whose start is not known', foreignRow, { startedAtMs: null }],
    ['where its time cannot be read', foreign({ statusChanged: 'now' }), { startedAtMs: NOW }],
  ])('foreign runner: the same text may be a new claim of a later incarnation %s', (_, row, end) => {
    const after = counted(row, { attempt: 2 });
    const later = { epoch: 8, lastEnd: { stopReason: null, ...end } };
    expect(said(settle(row, after, later))).toEqual(['retry unfinished_turn']);
  });

  test('a claim is counted where none of its message ever was, however old it is', () => {
    const later = { lastEnd: { stopReason: null, startedAtMs: NOW } };
    expect(said(settle(foreignRow, {}, later))).toEqual(['retry unfinished_turn']);
  });

  test('foreign runner: another claim before a later start was not counted', () => {
    const after = counted(foreignRow, { attempt: 2 });
    const later = { epoch: 8, lastEnd: { stopReason: null, startedAtMs: NOW } };
    expect(said(settle(foreign({ statusChanged: '2026-03-14 11:58:00' }), after, later))).toEqual([
      'retry unfinished_turn',
    ]);
  });

  test('a claim of a later incarnation is a new one, though a foreign runner wrote it in the same second', () => {
    const after = counted(foreignRow, { attempt: 2 });
    const again = settle(foreignRow, after, { epoch: 8 });
    expect(said(again)).toEqual(['retry unfinished_turn']);
    expect(only(again, 'retry')[0]?.change).toMatchObject({
      expect: { attempt: 3, tries: 1 },
      set: { tries: 2, settledClaim: '8:-:2026-03-14 11:59:50' },
    });
  });

  test('own runner: a claim of the next attempt is a new one, though its text time is the same', () => {
    const row = { attempt: 2, statusChanged: '2026-03-14 11:59:50' };
    const after = counted(row, { attempt: 2 });
    expect(said(settle({ ...row, attempt: 3 }, after, { epoch: 8 }))).toEqual(['retry unfinished_turn']);
  });

  test('another claim of the same incarnation is not taken for the counted one', () => {
    const after = counted(foreignRow, { attempt: 2 });
    const later = foreign({ statusChanged: '2026-03-14 11:59:51' });
    expect(said(settle(later, after))).toEqual(['retry unfinished_turn']);
  });
});

describe('FOREIGN_ANSWERED', () => {
  const complete = { policy: { ...POLICY, foreignAnswered: 'complete' as const }, answered: true };

  test('an answered claim of a foreign runner is complete where the group says so', () => {
    const [action] = settle(foreign(), { tries: 5 }, { lastEnd: crashed }, complete);
    expect(action).toMatchObject({
      kind: 'complete',
      reason: 'answered',
      by: 'settle',
      claim: { messageId: 'm1', attempt: null },
      change: {
        set: {
          status: 'completed',
          finishedAtMs: NOW,
          settledClaim: claimMark(7, null, foreign().statusChanged ?? ''),
        },
      },
    });
  });

  test.each([
    ['the group does not say so', foreign(), { ...complete, policy: POLICY }],
    ['nothing was answered', foreign(), { ...complete, answered: false }],
    ['the runner knows attempts', {}, complete],
  ])('it is retried where %s', (_, row, options) => {
    expect(said(settle(row, {}, {}, options))).toEqual(['retry unfinished_turn']);
  });
});

describe('F36: several claims', () => {
  test('each is settled by itself', () => {
    const found = facts({
      acked: [
        acked({}, { id: idOf('m1'), tries: 5 }),
        acked({}, { id: idOf('m2') }),
        acked({ status: 'completed' }, { id: idOf('m3') }),
      ],
    });
    const actions = planSession(observe(found), POLICY, CONTEXT);
    expect(said(actions)).toEqual(['complete acked', 'fail tries_spent', 'retry unfinished_turn']);
  });
});

describe('messages of a session whose corrupt file was replaced', () => {
  test('what may have been claimed is retried with one try spent', () => {
    expect(planReplaced([message({ tries: 1, attempt: 4 })], POLICY, NOW)).toEqual([
      {
        kind: 'retry',
        reason: 'unfinished_turn',
        by: 'settle',
        messageId: 'm1',
        dueAtMs: NOW + 10_000,
        change: {
          id: 'm1',
          expect: { attempt: 4, tries: 1 },
          set: { tries: 2, attempt: 5, processAfterMs: NOW + 10_000, error: 'its session lost a corrupt file' },
        },
        claim: null,
        dropAck: false,
      },
    ]);
  });

  test('without a try left it fails', () => {
    const actions = planReplaced([message({ tries: 5, processAfterMs: NOW })], POLICY, NOW);
    expect(said(actions)).toEqual(['fail tries_spent']);
    expect(only(actions, 'fail')[0]?.change.set).toMatchObject({ status: 'failed', errorClass: 'tries_spent' });
  });

  test('F9: without a try left it hands its series on', () => {
    const live = { recurrence: '0 9 * * *', seriesId: 's', occurrenceMs: NOW - 3 * HOUR };
    const actions = planReplaced([message({ tries: 5, ...live })], POLICY, NOW);
    expect(said(actions)).toEqual(['fail tries_spent', 'recur ended']);
    expect(only(actions, 'fail')[0]?.change.successors).toMatchObject([{ occurrenceMs: NOW + 21 * HOUR, live: true }]);
  });

  test('what is not due yet, or paused, is left alone', () => {
    const rows = [message({ processAfterMs: NOW + 1 }), message({ status: 'paused' })];
    expect(planReplaced(rows, POLICY, NOW)).toEqual([]);
  });
});
