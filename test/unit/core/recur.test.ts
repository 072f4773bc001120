import { describe, expect, test } from 'vitest';
import { isChange } from '../../../src/core/action.js';
import type { Action } from '../../../src/core/action.js';
import { claimKey } from '../../../src/core/claims.js';
import type { AckedMessage } from '../../../src/core/facts.js';
import { planMissed, planRecurrence, scheduleOf, turnsOf } from '../../../src/core/plan/recur.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import type { Policy } from '../../../src/core/policy.js';
import { MISSED_POLICIES } from '../../../src/protocol/rows.js';
import type { MessageRow, Successor } from '../../../src/protocol/rows.js';
import {
  acked,
  CONTEXT,
  DAY,
  due,
  facts,
  foreign,
  HOUR,
  idOf,
  message,
  MINUTE,
  NOW,
  observe,
  only,
  POLICY,
  running,
  said,
  watched,
} from './builders.js';
import type { AckSpec } from './builders.js';

/** Hourly; its occurrence was at eleven, an hour ago. */
const hourly: Partial<MessageRow> = {
  recurrence: '0 * * * *',
  seriesId: 's',
  occurrenceMs: NOW - HOUR,
  processAfterMs: NOW - HOUR,
};

function end(
  ackOver: AckSpec,
  messageOver: Partial<MessageRow> = {},
  { policy = POLICY, nowMs = NOW, answered = false }: { policy?: Policy; nowMs?: number; answered?: boolean } = {},
): Action[] {
  const found = facts({ acked: [acked(ackOver, { ...hourly, ...messageOver }, answered)] });
  return planSession(observe(found), policy, { ...CONTEXT, nowMs });
}

function successors(actions: readonly Action[]): readonly Successor[] | undefined {
  const [ending] = [...only(actions, 'complete'), ...only(actions, 'fail')];
  return ending?.change.successors;
}

const done: AckSpec = { status: 'completed' };
const next = { id: idOf('s@20260314T130000Z'), occurrenceMs: NOW + HOUR, live: true };

describe('F9: whatever ends a live row hands its recurrence on, in the same change', () => {
  test('completed: as a whole', () => {
    expect(end({ ...done, atMs: NOW - 1_000 }, { tries: 2, attempt: 0, timezone: 'UTC' })).toEqual([
      {
        kind: 'complete',
        reason: 'acked',
        by: 'ack',
        messageId: 'm1',
        change: {
          id: 'm1',
          expect: { attempt: 0, tries: 2, schedule: { recurrence: '0 * * * *', timezone: 'UTC' } },
          set: { status: 'completed', finishedAtMs: NOW, error: null, errorClass: null, recurrence: null },
          successors: [{ ...next, id: 's@20260314T120000Z', occurrenceMs: NOW }],
        },
        claim: null,
      },
      { kind: 'recur', reason: 'ended', messageId: 'm1', seriesId: 's', dueAtMs: NOW, missed: 0 },
      { kind: 'wake', reason: 'due', dueSinceMs: NOW },
    ]);
  });

  test.each<[string, AckSpec, Partial<MessageRow>, string]>([
    ['an ack of failed without a class', { status: 'failed' }, {}, 'fail unclassed'],
    ['a fatal one', { status: 'failed', errorClass: 'fatal' }, {}, 'fail fatal'],
    ['too much context', { status: 'failed', errorClass: 'context_overflow' }, {}, 'fail context_overflow'],
    ['a resume that is invalid', { status: 'failed', errorClass: 'resume_invalid' }, {}, 'fail resume_invalid'],
    ['a last retry', { status: 'failed', errorClass: 'retryable' }, { tries: 5 }, 'fail tries_spent'],
    ['a last deferral', { status: 'failed', errorClass: 'rate_limited' }, { deferrals: 20 }, 'fail deferrals_spent'],
    ['a claim without a try left', { status: 'processing' }, { tries: 5 }, 'fail tries_spent'],
    ["a foreign runner's ack", { ...foreign(), status: 'completed' }, {}, 'complete acked'],
  ])('%s', (_what, ackOver, messageOver, ending) => {
    const actions = end(ackOver, messageOver);
    expect(said(actions)).toEqual([ending, 'recur ended', 'wake due']);
    expect(successors(actions)).toHaveLength(1);
  });

  test('an answer that stands for the end', () => {
    const actions = end(foreign(), {}, { policy: { ...POLICY, foreignAnswered: 'complete' }, answered: true });
    expect(said(actions)).toEqual(['complete answered', 'recur ended', 'wake due']);
  });

  test('paused: as any other', () => {
    expect(said(end(done, { status: 'paused' }))).toEqual(['complete acked', 'recur ended']);
  });

  test.each<[string, AckSpec, string]>([
    ['a retry', { status: 'failed', errorClass: 'retryable' }, 'retry acked_retryable'],
    ['a deferral', { status: 'failed', errorClass: 'rate_limited' }, 'defer rate_limited'],
    ['a claim with a try left', { status: 'processing' }, 'retry unfinished_turn'],
    ['an ack of an older attempt', { status: 'processing', attempt: 3 }, 'forget older_attempt'],
  ])('%s ends nothing', (_what, ackOver, expected) => {
    const actions = end(ackOver);
    expect(said(actions)).toEqual([expected]);
    expect(JSON.stringify(actions)).not.toContain('successors');
  });

  test('a message of no series, or of one that goes on elsewhere, ends by itself', () => {
    for (const over of [{ recurrence: null, seriesId: null }, { recurrence: null }]) {
      const actions = end(done, over);
      expect(said(actions)).toEqual(['complete acked']);
      expect(successors(actions)).toBeUndefined();
    }
  });

  test('an ending that nobody knows the row of is left alone', () => {
    const [ending] = only(end(done, { recurrence: null }), 'complete');
    if (ending === undefined) throw new Error('it ends');
    expect(planRecurrence([ending], [], POLICY, NOW)).toEqual([ending]);
  });

  test('is a change, and so are a move and a retirement', () => {
    expect(end(done).every(isChange)).toBe(true);
  });
});

describe('what an occurrence is followed by', () => {
  test.each([
    // The turn began at 11:59:50; noon came while it ran.
    ['latest', [NOW]],
    ['skip', [NOW + HOUR]],
    ['all', [NOW, NOW + HOUR]],
  ] as const)('%s, one occurrence missed while it ran', (missed, expected) => {
    const found = successors(end(done, { missed }))?.map(({ occurrenceMs }) => occurrenceMs);
    expect(found).toEqual(expected);
  });

  test.each(MISSED_POLICIES)('%s, nothing missed', (missed) => {
    expect(successors(end({ ...done, atMs: NOW }, { missed, occurrenceMs: NOW, processAfterMs: NOW }))).toEqual([next]);
  });

  test('latest: the turn stands for what was missed before it began', () => {
    const late = { occurrenceMs: NOW - 5 * HOUR, missed: 'latest' } as const;
    expect(successors(end({ ...done, atMs: NOW }, late))).toEqual([next]);
    expect(successors(end({ ...done, atMs: NOW - 90 * MINUTE }, late))).toMatchObject([
      { occurrenceMs: NOW, live: true },
    ]);
  });

  test('latest: a claim that the host saw says when its turn began, whatever its ack says', () => {
    const claim = acked({ atMs: NOW - 150 * MINUTE }, { ...hourly, occurrenceMs: NOW - 3 * HOUR });
    const memory = watched(facts({ acked: [claim] }), 3 * HOUR, running({ startedAtMs: NOW - 4 * HOUR }));
    const ended: AckedMessage = { ...claim, ack: { ...claim.ack, status: 'completed', statusChangedMs: NOW } };
    expect(turnsOf(facts({ acked: [ended] }), memory, NOW)).toEqual([
      { message: claim.message, begunMs: NOW - 150 * MINUTE },
    ]);
    expect(memory.begun.has(claimKey(claim))).toBe(true);
  });

  test('a time that is none, or lies in the future, counts as now', () => {
    for (const over of [{ statusChanged: 'soon' }, { atMs: NOW + DAY }] as const) {
      const found = facts({ acked: [acked({ ...done, ...over })] });
      expect(turnsOf(found, watched(facts(), 0), NOW)).toMatchObject([{ begunMs: NOW }]);
    }
  });

  test('all: at most the last 24, as one-shots, in order, then the live one', () => {
    const found = successors(end(done, { missed: 'all', occurrenceMs: NOW - 40 * HOUR })) ?? [];
    expect(found).toHaveLength(25);
    expect(found.map(({ live }) => live)).toEqual([...Array.from({ length: 24 }, () => false), true]);
    expect(found[0]).toEqual({ id: 's@20260313T130000Z', occurrenceMs: NOW - 23 * HOUR, live: false });
    expect(found[23]).toEqual({ id: 's@20260314T120000Z', occurrenceMs: NOW, live: false });
    expect(found[24]).toEqual(next);
    expect(only(end(done, { missed: 'all', occurrenceMs: NOW - 40 * HOUR }), 'recur')).toMatchObject([
      { dueAtMs: NOW + HOUR, missed: 24 },
    ]);
  });

  test.each(MISSED_POLICIES)('F34: %s, a clock set back: what comes is later than what has been', (missed) => {
    const found = successors(end({ ...done, atMs: NOW + 3 * HOUR }, { missed, occurrenceMs: NOW + 3 * HOUR }));
    expect(found).toEqual([{ id: 's@20260314T160000Z', occurrenceMs: NOW + 4 * HOUR, live: true }]);
  });

  test("is in the series' zone, else the install's", () => {
    const daily = { recurrence: '30 9 * * *', missed: 'skip' } as const;
    const policy = { ...POLICY, timezone: 'America/New_York' };
    const at = (over: Partial<MessageRow>) =>
      successors(end(done, { ...daily, ...over }, { policy }))?.[0]?.occurrenceMs;
    expect(at({ timezone: 'Europe/Berlin' })).toBe(Date.UTC(2026, 2, 15, 8, 30));
    expect(at({ timezone: null })).toBe(Date.UTC(2026, 2, 14, 13, 30));
  });

  test('a row without occurrence or series: its due time, else its own, and its id', () => {
    const bare = { seriesId: null, occurrenceMs: null, missed: 'all' } as const;
    expect(successors(end(done, { ...bare, processAfterMs: NOW - 2 * HOUR }))).toEqual([
      { id: 'm1@20260314T110000Z', occurrenceMs: NOW - HOUR, live: false },
      { id: 'm1@20260314T120000Z', occurrenceMs: NOW, live: false },
      { ...next, id: 'm1@20260314T130000Z' },
    ]);
    expect(successors(end(done, { ...bare, processAfterMs: null, timestampMs: NOW - HOUR }))).toHaveLength(2);
    expect(only(end(done, bare), 'recur')).toMatchObject([{ seriesId: 'm1' }]);
  });
});

describe('F12: a schedule that cannot be read', () => {
  const bad: [string, Partial<MessageRow>, string][] = [
    ['empty', { recurrence: '' }, '"": it has 0 fields, not 5 (minute hour day-of-month month day-of-week)'],
    ['six fields', { recurrence: '0 0 9 * * *' }, '"0 0 9 * * *": it has 6 fields'],
    ['H', { recurrence: 'H * * * *' }, '"H * * * *": "H" is no minute'],
    ['a day that never comes', { recurrence: '0 0 30 2 *' }, '"0 0 30 2 *": its day never comes'],
    ['its zone', { timezone: 'Mars/Olympus' }, '"0 * * * *": there is no time zone "Mars/Olympus"'],
    ['an empty zone', { timezone: '' }, '"0 * * * *": there is no time zone ""'],
  ];

  test.each(bad)('ends with its row, and is told once: %s', (_what, over, detail) => {
    const actions = end(done, over);
    expect(said(actions)).toEqual(['complete acked', 'retire bad_schedule']);
    expect(only(actions, 'complete')[0]?.change).toMatchObject({ set: { recurrence: null }, successors: [] });
    expect(only(actions, 'retire')[0]).toMatchObject({ seriesId: 's', change: null });
    expect(only(actions, 'retire')[0]?.detail).toContain(detail);
  });

  test.each(bad)('is retired when it is due, and its row goes on: %s', (_what, over, detail) => {
    const row = message({ ...hourly, ...over });
    const actions = planMissed(facts({ dueSeries: [row] }), POLICY, NOW);
    expect(actions).toMatchObject([
      {
        kind: 'retire',
        reason: 'bad_schedule',
        change: { id: 'm1', expect: { schedule: { recurrence: row.recurrence } }, set: { recurrence: null } },
      },
    ]);
    expect(actions[0]?.kind === 'retire' ? actions[0].detail : '').toContain(detail);
  });

  test('does not keep its session from being woken in the same look', () => {
    const row = message({ ...hourly, recurrence: 'nonsense' });
    const found = facts({ dueSeries: [row], ...due(NOW - HOUR) });
    expect(said(planSession(observe(found), POLICY, CONTEXT))).toEqual(['retire bad_schedule', 'wake due']);
  });

  test('says what a schedule is, or why it is none', () => {
    expect(scheduleOf({ recurrence: '0 9 * * *', timezone: 'Europe/Berlin' }, POLICY)).toMatchObject({
      zone: 'Europe/Berlin',
    });
    expect(scheduleOf({ recurrence: '0 9 * * *', timezone: null }, POLICY)).toMatchObject({ zone: 'UTC' });
    expect(scheduleOf({ recurrence: null, timezone: null }, POLICY)).toContain('0 fields');
  });

  test('a schedule that has come to its end retires its series', () => {
    // Beyond what a date can say nothing comes.
    const last = 8.64e15 - 2 * DAY;
    const actions = end({ ...done, atMs: NOW }, { occurrenceMs: last, recurrence: '0 0 1 1 *' });
    expect(said(actions)).toEqual(['complete acked', 'retire no_more']);
    expect(only(actions, 'retire')).toMatchObject([{ messageId: 'm1', detail: 'its schedule has no next time' }]);
    const all = planRecurrence(
      only(end(done, { recurrence: null }), 'complete'),
      [{ message: message({ recurrence: '0 0 1 1 *', missed: 'all', occurrenceMs: last - 366 * DAY }), begunMs: last }],
      POLICY,
      last,
    );
    expect(said(all)).toEqual(['complete acked', 'retire no_more']);
    expect(successors(all)).toMatchObject([{ live: false }]);
  });
});

describe('F34: occurrences that were missed with no container running', () => {
  function missed(over: Partial<MessageRow>, nowMs = NOW) {
    return planMissed(facts({ dueSeries: [message({ ...hourly, ...over })] }), POLICY, nowMs);
  }

  test('latest moves to the newest, and says what its schedule was', () => {
    expect(missed({ occurrenceMs: NOW - 8 * HOUR, tries: 0, attempt: 2, timezone: 'UTC' })).toEqual([
      {
        kind: 'advance',
        reason: 'missed_latest',
        messageId: 'm1',
        seriesId: 's',
        dueAtMs: NOW,
        change: {
          id: 'm1',
          expect: { attempt: 2, tries: 0, schedule: { recurrence: '0 * * * *', timezone: 'UTC' } },
          set: { occurrenceMs: NOW, processAfterMs: NOW },
        },
      },
    ]);
  });

  test('latest stays where nothing was missed', () => {
    expect(missed({ occurrenceMs: NOW })).toEqual([]);
    expect(missed({ occurrenceMs: NOW - HOUR }, NOW - 1)).toEqual([]);
  });

  test('skip goes on to the next one, but not for five minutes', () => {
    const skip = { missed: 'skip', occurrenceMs: NOW } as const;
    expect(missed(skip, NOW + 5 * MINUTE)).toEqual([]);
    expect(missed(skip, NOW + 5 * MINUTE + 1)).toMatchObject([
      { reason: 'missed_skipped', dueAtMs: NOW + HOUR, change: { set: { processAfterMs: NOW + HOUR } } },
    ]);
    expect(missed(skip, NOW + 20 * HOUR)).toMatchObject([{ dueAtMs: NOW + 21 * HOUR }]);
  });

  test('all runs each, one after another', () => {
    expect(missed({ missed: 'all', occurrenceMs: NOW - 8 * HOUR })).toEqual([]);
  });

  test('a row that its series went on without is left alone', () => {
    expect(missed({ recurrence: null, occurrenceMs: NOW - 8 * HOUR })).toEqual([]);
  });

  test('skip stays where nothing comes any more', () => {
    const last = 8.64e15 - 3 * DAY;
    expect(missed({ missed: 'skip', recurrence: '0 0 1 1 *', occurrenceMs: last }, last + HOUR)).toEqual([]);
  });

  test('a row without occurrence goes by its due time', () => {
    expect(missed({ occurrenceMs: null, processAfterMs: NOW - 3 * HOUR })).toMatchObject([{ dueAtMs: NOW }]);
  });

  test('nothing is moved while a container may be claiming it', () => {
    const found = facts({ dueSeries: [message({ ...hourly, occurrenceMs: NOW - 8 * HOUR })], ...due(NOW - 8 * HOUR) });
    const kinds = (over: Parameters<typeof observe>[1]) => said(planSession(observe(found, over), POLICY, CONTEXT));
    expect(kinds({ container: running({ startedAtMs: NOW }) })).toEqual([]);
    expect(kinds({ container: { kind: 'in_flight' } })).toEqual(['wait in_flight']);
    expect(kinds({ container: { kind: 'unknown' } })).toEqual(['wait runtime_unknown']);
    expect(kinds({ blocked: true })).toEqual(['wait blocked']);
    // What moves is looked at again before it is woken for.
    expect(kinds({})).toEqual(['advance missed_latest']);
  });
});

describe('an occurrence that ends with no container running wakes for what follows it and is due already', () => {
  const late = { occurrenceMs: NOW - 3 * HOUR, processAfterMs: NOW - 3 * HOUR } as const;

  test('all: since the first of those that were missed', () => {
    const actions = end({ ...done, atMs: NOW }, { ...late, missed: 'all' });
    expect(actions.at(-1)).toEqual({ kind: 'wake', reason: 'due', dueSinceMs: NOW - 2 * HOUR });
  });

  test('latest: since the newest, also where the turn did not end', () => {
    const found = acked({ atMs: NOW - 90 * MINUTE }, { ...hourly, ...late, tries: POLICY.maxTries, missed: 'latest' });
    const actions = planSession(observe(facts({ acked: [found] })), POLICY, CONTEXT);
    expect(said(actions)).toEqual(['fail tries_spent', 'recur ended', 'wake due']);
    expect(actions.at(-1)).toMatchObject({ dueSinceMs: NOW });
  });

  test.each([
    ['what follows is due later', { missed: 'skip' }],
    ['its series is paused', { missed: 'all', status: 'paused' }],
    ['it wakes nobody', { missed: 'all', trigger: false }],
  ] as const)('not where %s', (_what, over) => {
    expect(said(end({ ...done, atMs: NOW }, { ...late, ...over }))).toEqual(['complete acked', 'recur ended']);
  });
});
