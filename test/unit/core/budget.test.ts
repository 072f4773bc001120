import { describe, expect, test } from 'vitest';
import { budgetPermission, hasLimit, NOTHING_SPENT, spentAfter, turnsOf } from '../../../src/core/budget.js';
import type { Budget, Use } from '../../../src/core/budget.js';
import { planSync } from '../../../src/core/plan/sync.js';
import { acked, DAY, facts, HOUR, idOf, NOW, POLICY, said } from './builders.js';

const NONE: Budget = { turnsPerHour: null, tokensPerDay: null, costPerDayMicros: null };
const midnight = Date.UTC(2026, 2, 15);
const used = (use: Partial<Use>, atMs = NOW) =>
  spentAfter(NOTHING_SPENT, { turns: 0, tokens: 0, costMicros: 0, ...use }, atMs);

describe('a budget', () => {
  test.each<[string, Partial<Budget>, () => ReturnType<typeof used>, unknown]>([
    ['no limit', {}, () => used({ turns: 1e6, tokens: 1e9, costMicros: 1e9 }), { kind: 'within' }],
    ['turns left', { turnsPerHour: 10 }, () => used({ turns: 9 }), { kind: 'within' }],
    [
      'no turn left',
      { turnsPerHour: 10 },
      () => used({ turns: 10 }),
      { kind: 'spent', untilMs: NOW + HOUR, detail: '10 of 10 turns an hour' },
    ],
    ['tokens left', { tokensPerDay: 100 }, () => used({ tokens: 99 }), { kind: 'within' }],
    [
      'over its tokens',
      { tokensPerDay: 100 },
      () => used({ tokens: 700 }),
      { kind: 'spent', untilMs: midnight, detail: '700 of 100 tokens a day' },
    ],
    ['money left', { costPerDayMicros: 2_000_000 }, () => used({ costMicros: 1_999_999 }), { kind: 'within' }],
    [
      'no money left',
      { costPerDayMicros: 2_000_000 },
      () => used({ costMicros: 2_345_678 }),
      { kind: 'spent', untilMs: midnight, detail: '$2.35 of $2.00 a day' },
    ],
    ['turns of the hour before', { turnsPerHour: 10 }, () => used({ turns: 10 }, NOW - 1), { kind: 'within' }],
    [
      'tokens of an hour before',
      { tokensPerDay: 100 },
      () => used({ tokens: 100 }, NOW - HOUR),
      { kind: 'spent', untilMs: midnight, detail: '100 of 100 tokens a day' },
    ],
    ['tokens of the day before', { tokensPerDay: 100 }, () => used({ tokens: 100 }, NOW - DAY), { kind: 'within' }],
    [
      'the longest wait first',
      { turnsPerHour: 1, tokensPerDay: 1 },
      () => used({ turns: 1, tokens: 1 }),
      { kind: 'spent', untilMs: midnight, detail: '1 of 1 tokens a day' },
    ],
  ])('%s', (_, budget, spent, permission) => {
    expect(budgetPermission({ ...NONE, ...budget }, spent(), NOW)).toEqual(permission);
  });

  test('what is used adds up within the hour and the day, and begins anew after them', () => {
    const use = { turns: 1, tokens: 10, costMicros: 100 };
    const twice = spentAfter(used(use), use, NOW + HOUR - 1);
    expect(twice).toMatchObject({ turns: 2, tokens: 20, costMicros: 200 });
    expect(spentAfter(twice, use, NOW + HOUR)).toMatchObject({ turns: 1, tokens: 30, costMicros: 300 });
    expect(spentAfter(twice, use, midnight)).toMatchObject({ turns: 1, tokens: 10, costMicros: 100 });
  });

  test('what a container says of itself stays a number, however much it says', () => {
    const most = { turns: 1, tokens: Number.MAX_SAFE_INTEGER, costMicros: Number.MAX_SAFE_INTEGER };
    expect(spentAfter(used(most), most, NOW)).toMatchObject({ ...most, turns: 2 });
  });

  test('messages that one turn ended are one turn', () => {
    const rows = [
      acked({ status: 'completed', incarnation: 3, statusChanged: '2026-03-14T11:59:50.000Z' }, { id: idOf('m1') }),
      acked({ status: 'completed', incarnation: 3, statusChanged: '2026-03-14T11:59:50.000Z' }, { id: idOf('m2') }),
      acked({ status: 'failed', incarnation: 3, statusChanged: '2026-03-14T11:59:58.000Z' }, { id: idOf('m3') }),
      acked({ status: 'processing', incarnation: 2 }, { id: idOf('m4') }),
    ];
    const { actions } = planSync(facts({ acked: rows }), true, POLICY, NOW);
    expect(said(actions)).toEqual(['complete acked', 'complete acked', 'fail unclassed']);
    expect(turnsOf(actions, rows)).toBe(2);
    expect(turnsOf([...actions, ...actions], []), 'of which nothing is known: each its own').toBe(3);
    expect(turnsOf([{ kind: 'hold', reason: 'oom_kills' }], rows)).toBe(0);
  });

  test.each([
    ['unfinished_turn', 1],
    ['acked_retryable', 1],
    ['host_ended_turn', 0],
  ] as const)('a retry for %s is %i turns', (reason, turns) => {
    const [retry] = planSync(
      facts({ acked: [acked({ status: 'failed', errorClass: 'retryable' })] }),
      true,
      POLICY,
      NOW,
    ).actions;
    expect(retry?.kind === 'retry' && turnsOf([{ ...retry, reason }], [])).toBe(turns);
  });

  test('says whether it has a limit at all', () => {
    expect(hasLimit(NONE)).toBe(false);
    expect(hasLimit({ ...NONE, costPerDayMicros: 1 })).toBe(true);
  });
});
