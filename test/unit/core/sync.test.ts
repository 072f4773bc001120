import { describe, expect, test } from 'vitest';
import { planSession } from '../../../src/core/plan/plan-session.js';
import {
  acked,
  CONTEXT,
  DAY,
  facts,
  foreign,
  HOUR,
  idOf,
  MINUTE,
  NOW,
  observe,
  only,
  POLICY,
  running,
  said,
} from './builders.js';
import type { AckSpec } from './builders.js';
import type { MessageRow } from '../../../src/protocol/rows.js';
import type { SessionObservation } from '../../../src/core/observation.js';

function sync(ackOver: AckSpec, messageOver: Partial<MessageRow> = {}, over: Partial<SessionObservation> = {}) {
  return planSession(observe(facts({ acked: [acked(ackOver, messageOver)] }), over), POLICY, CONTEXT);
}

describe('acks of the present attempt', () => {
  test('F8: completed becomes completed, and only that does', () => {
    expect(sync({ status: 'completed' })).toEqual([
      {
        kind: 'complete',
        reason: 'acked',
        by: 'ack',
        messageId: 'm1',
        change: {
          id: 'm1',
          expect: { attempt: 0, tries: 0 },
          set: { status: 'completed', finishedAtMs: NOW, error: null, errorClass: null },
        },
        claim: null,
      },
    ]);
  });

  test.each([
    ['fatal', 'fatal', 'fatal'],
    ['context_overflow', 'context_overflow', 'context_overflow'],
    ['resume_invalid', 'resume_invalid', 'resume_invalid'],
    [null, 'unclassed', null],
  ] as const)('F8: failed with class %s is final', (errorClass, reason, recorded) => {
    const actions = sync({ status: 'failed', errorClass, error: 'no such model' });
    expect(said(actions)).toEqual([`fail ${reason}`]);
    expect(only(actions, 'fail')[0]?.change.set).toEqual({
      status: 'failed',
      finishedAtMs: NOW,
      error: 'no such model',
      errorClass: recorded,
    });
  });

  test('a failure without a text says so', () => {
    expect(only(sync({ status: 'failed' }), 'fail')[0]?.change.set.error).toBe('the runner gave no details');
  });

  test.each([
    ['what the runner said of it', 'the account was closed', 'the account was closed'],
    ['that it said nothing', null, 'the runner gave no details'],
  ])('L19: a provider that ended the session for good ends all that waits too, with %s', (_, error, shown) => {
    const actions = planSession(
      observe(
        facts({
          acked: [
            acked({ status: 'failed', errorClass: 'terminated', error }),
            acked({ status: 'completed' }, { id: idOf('m2') }),
          ],
        }),
      ),
      POLICY,
      CONTEXT,
    );
    expect(said(actions)).toEqual(['fail terminated', 'complete acked', 'fail_rest terminated']);
    expect(only(actions, 'fail_rest')).toEqual([{ kind: 'fail_rest', reason: 'terminated', error: shown }]);
  });

  test('a class beside a turn that was completed ends nothing', () => {
    expect(said(sync({ status: 'completed', errorClass: 'terminated' }))).toEqual(['complete acked']);
  });

  test('a paused series does not keep its running message from ending (F11)', () => {
    expect(said(sync({ status: 'completed' }, { status: 'paused' }))).toEqual(['complete acked']);
  });

  test.each([
    ['an older attempt', 1, 2],
    ['an attempt that was never given out', 3, 2],
  ])('an ack of %s is void', (_, ackAttempt, messageAttempt) => {
    expect(sync({ status: 'completed', attempt: ackAttempt }, { attempt: messageAttempt })).toEqual([]);
    expect(sync({ status: 'failed', attempt: ackAttempt }, { attempt: messageAttempt })).toEqual([]);
  });

  test.each([
    ['while its container runs', { container: running() }],
    ['while the runtime does not answer', { container: { kind: 'unknown' } }],
    ['while a stop is in flight', { container: { kind: 'in_flight' } }],
    ['while the session is suspended', { status: 'suspended' }],
    ['while its container cannot be stopped', { blocked: true }],
  ] as const)('an ack is taken over %s', (_, over) => {
    expect(said(sync({ status: 'completed' }, {}, over))).toEqual(['complete acked']);
  });
});

describe('retryable failures', () => {
  test('a retry waits, spends a try and raises the attempt', () => {
    const actions = sync(
      { status: 'failed', errorClass: 'retryable', error: 'overloaded', attempt: 4 },
      { tries: 2, attempt: 4 },
    );
    expect(actions).toEqual([
      {
        kind: 'retry',
        reason: 'acked_retryable',
        by: 'ack',
        messageId: 'm1',
        dueAtMs: NOW + 20_000,
        change: {
          id: 'm1',
          expect: { attempt: 4, tries: 2 },
          set: { attempt: 5, tries: 3, processAfterMs: NOW + 20_000, error: 'overloaded', errorClass: 'retryable' },
        },
        claim: null,
        dropAck: false,
      },
    ]);
  });

  test('a message is re-armed beside its running container: the ack names the attempt that ended', () => {
    const over = { container: running() };
    expect(said(sync({ status: 'failed', errorClass: 'retryable' }, {}, over))).toEqual(['retry acked_retryable']);
    expect(said(sync({ status: 'failed', errorClass: 'rate_limited' }, {}, over))).toEqual(['defer rate_limited']);
  });

  test('the fifth retry is given, a sixth is not', () => {
    expect(said(sync({ status: 'failed', errorClass: 'retryable' }, { tries: 4 }))).toEqual(['retry acked_retryable']);
    const spent = sync({ status: 'failed', errorClass: 'retryable' }, { tries: 5 });
    expect(said(spent)).toEqual(['fail tries_spent']);
    expect(only(spent, 'fail')[0]).toMatchObject({ by: 'ack', change: { set: { errorClass: 'tries_spent' } } });
  });
});

describe('L18: rate limits', () => {
  const limited = { status: 'failed', errorClass: 'rate_limited', error: '429' } as const;

  test('a deferral waits for retry_at and spends no try', () => {
    const actions = sync({ ...limited, retryAtMs: NOW + HOUR }, { tries: 5, deferrals: 3, attempt: 0 });
    expect(actions).toEqual([
      {
        kind: 'defer',
        reason: 'rate_limited',
        by: 'ack',
        messageId: 'm1',
        dueAtMs: NOW + HOUR,
        change: {
          id: 'm1',
          expect: { attempt: 0, tries: 5 },
          set: { attempt: 1, deferrals: 4, processAfterMs: NOW + HOUR, error: '429', errorClass: 'rate_limited' },
        },
        claim: null,
        dropAck: false,
      },
    ]);
  });

  test('without retry_at the wait doubles with each deferral', () => {
    expect(only(sync(limited, { deferrals: 2 }), 'defer')[0]?.dueAtMs).toBe(NOW + 4 * MINUTE);
  });

  test.each([
    ['the twentieth deferral is given', { deferrals: 19 }, 'defer rate_limited'],
    ['there is no twenty-first', { deferrals: 20 }, 'fail deferrals_spent'],
    ['exactly 7 days old survives', { timestampMs: NOW - 7 * DAY, deferrals: 7 }, 'defer rate_limited'],
    ['more than 7 days old is given up', { timestampMs: NOW - 7 * DAY - 1, deferrals: 7 }, 'fail deferrals_spent'],
    ['put in long before it was due is not', { timestampMs: NOW - 40 * DAY, deferrals: 6 }, 'defer rate_limited'],
    [
      'an occurrence is as old as its time, however old its row is',
      { timestampMs: NOW - 40 * DAY, occurrenceMs: NOW - HOUR, deferrals: 7 },
      'defer rate_limited',
    ],
    ['a timestamp in the future counts as now', { timestampMs: NOW + 9 * DAY }, 'defer rate_limited'],
  ])('%s', (_, over, expected) => {
    expect(said(sync(limited, over))).toEqual([expected]);
  });
});

describe('acks of foreign runners, which name no attempt', () => {
  const retryable = foreign({ status: 'failed', errorClass: 'retryable' });

  test('with no container running the ack row goes first, then the message is re-armed', () => {
    expect(only(sync(retryable), 'retry')[0]).toMatchObject({
      dropAck: true,
      change: { set: { attempt: 1, tries: 1 } },
    });
    expect(only(sync({ ...retryable, errorClass: 'rate_limited' }), 'defer')[0]).toMatchObject({ dropAck: true });
  });

  test('a running container without a claim is recycled first', () => {
    for (const errorClass of ['retryable', 'rate_limited'] as const) {
      expect(said(sync({ ...retryable, errorClass }, {}, { container: running() }))).toEqual(['stop recycled']);
    }
  });

  test('a running turn is waited for', () => {
    const found = facts({ acked: [acked(retryable), acked({}, { id: 'm2' as MessageRow['id'] })] });
    const observation = observe({ ...found, heartbeatMtimeMs: NOW }, { container: running() });
    expect(said(planSession(observation, POLICY, CONTEXT))).toEqual(['wait turn_running']);
  });

  test.each([
    ['the runtime does not answer', { container: { kind: 'unknown' } }],
    ['a stop is in flight', { container: { kind: 'in_flight' } }],
    ['its container cannot be stopped', { blocked: true }],
  ] as const)('nothing is re-armed while %s', (_, over) => {
    expect(sync(retryable, {}, over)).toEqual([]);
  });

  test('what is final needs no stop', () => {
    const over = { container: running() };
    expect(said(sync(foreign({ status: 'failed' }), {}, over))).toEqual(['fail unclassed']);
    expect(said(sync(foreign({ status: 'completed' }), {}, over))).toEqual(['complete acked']);
  });
});
