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

/** A new hour, and a new day, begin with nothing. */
export function spentAfter(spent: Spent, use: Use, nowMs: number): Spent {
  const { hour, turns, day, tokens, costMicros } = spentNow(spent, nowMs);
  return {
    hour,
    turns: turns + use.turns,
    day,
    tokens: tokens + use.tokens,
    costMicros: costMicros + use.costMicros,
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
