import type { Action } from './action.js';
import type { AckedMessage } from './facts.js';

/** What a session, or all of a group together, may use; null: as much as they like. */
export interface Budget {
  readonly turnsPerHour: number | null;
  readonly tokensPerDay: number | null;
  /** Of a US dollar, millionths. */
  readonly costPerDayMicros: number | null;
}

/** What was used in the hour and the day (UTC) that it was used in last. */
export interface Spent {
  /** Number of the hour, and of the day, since 1970. */
  readonly hour: number;
  readonly turns: number;
  readonly day: number;
  readonly tokens: number;
  readonly costMicros: number;
}

export interface Use {
  readonly turns: number;
  readonly tokens: number;
  readonly costMicros: number;
}

export type BudgetPermission =
  { readonly kind: 'within' } | { readonly kind: 'spent'; readonly untilMs: number; readonly detail: string };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const NOTHING_SPENT: Spent = { hour: 0, turns: 0, day: 0, tokens: 0, costMicros: 0 };

export function hasLimit(budget: Budget): boolean {
  return Object.values(budget).some((limit) => limit !== null);
}

/**
 * Turns that ended by these actions, whatever came of them: a runner says of all messages of a turn at once that they ended,
 * and claims them at once. Those that the host took back do not count.
 */
export function turnsOf(actions: readonly Action[], acked: readonly AckedMessage[]): number {
  const acks = new Map(acked.map(({ message, ack }) => [message.id, ack]));
  const turns = actions.filter(endsTurn).map(({ messageId }) => {
    const ack = acks.get(messageId);
    return ack === undefined ? messageId : `${String(ack.incarnation)} ${ack.statusChanged}`;
  });
  return new Set(turns).size;
}

type Ending = Extract<Action, { readonly kind: 'complete' | 'fail' | 'retry' }>;

function endsTurn(action: Action): action is Ending {
  if (action.kind === 'retry') return action.reason !== 'host_ended_turn';
  return action.kind === 'complete' || action.kind === 'fail';
}

/** A new hour, and a new day, begin with nothing. */
export function spentAfter(spent: Spent, use: Use, nowMs: number): Spent {
  const { hour, turns, day, tokens, costMicros } = spentNow(spent, nowMs);
  return {
    hour,
    turns: sum(turns, use.turns),
    day,
    tokens: sum(tokens, use.tokens),
    costMicros: sum(costMicros, use.costMicros),
  };
}

/** Whether another turn may begin. What a turn will cost is not known before: the one that goes over a limit is the last. */
export function budgetPermission(budget: Budget, spent: Spent, nowMs: number): BudgetPermission {
  const { hour, turns, day, tokens, costMicros } = spentNow(spent, nowMs);
  const nextDayMs = (day + 1) * DAY_MS;
  if (isOver(costMicros, budget.costPerDayMicros)) {
    return {
      kind: 'spent',
      untilMs: nextDayMs,
      detail: `${dollars(costMicros)} of ${dollars(budget.costPerDayMicros)} a day`,
    };
  }
  if (isOver(tokens, budget.tokensPerDay)) {
    return { kind: 'spent', untilMs: nextDayMs, detail: `${tokens} of ${budget.tokensPerDay} tokens a day` };
  }
  if (isOver(turns, budget.turnsPerHour)) {
    const untilMs = (hour + 1) * HOUR_MS;
    return { kind: 'spent', untilMs, detail: `${turns} of ${budget.turnsPerHour} turns an hour` };
  }
  return { kind: 'within' };
}

/** Figures come from containers: they may be anything, but must stay numbers that can be kept. */
function sum(before: number, more: number): number {
  return Math.min(before + more, Number.MAX_SAFE_INTEGER);
}

function spentNow(spent: Spent, nowMs: number): Spent {
  const hour = Math.floor(nowMs / HOUR_MS);
  const day = Math.floor(nowMs / DAY_MS);
  return {
    hour,
    turns: spent.hour === hour ? spent.turns : 0,
    day,
    tokens: spent.day === day ? spent.tokens : 0,
    costMicros: spent.day === day ? spent.costMicros : 0,
  };
}

function isOver(used: number, limit: number | null): limit is number {
  return limit !== null && used >= limit;
}

function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(2)}`;
}
