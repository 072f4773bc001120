import { CronExpressionParser } from 'cron-parser';
import type { CronExpression } from 'cron-parser';

const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
/** A 29 February on a given weekday comes after 40 years at the latest. */
const MOST_DAYS = 41 * 366;
/** Wild cards, numbers or names, ranges and steps: what every cron means the same by. */
const ITEM = /^(?:\*|(?:[0-9]{1,2}|[a-z]{3})(?:-(?:[0-9]{1,2}|[a-z]{3}))?)(?:\/[0-9]{1,2})?$/i;
const FIELDS = ['minute', 'hour', 'day of month', 'month', 'day of week'] as const;

/** A cron expression, taken apart. */
export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  /** 0 and 7 are Sunday. */
  readonly daysOfWeek: ReadonlySet<number>;
  /** Both kinds of day are restricted: one of them is enough. */
  readonly eitherDay: boolean;
}

export type CronResult =
  | { readonly kind: 'ok'; readonly cron: Cron }
  /** For people: what is wrong. */
  | { readonly kind: 'bad'; readonly why: string };

/**
 * Takes exactly five fields of wild cards, numbers, names, ranges, lists and steps, and no expression that never fires.
 * cron-parser alone would also take an empty text, one to six fields, `H`, `L`, `#` and `@daily`.
 */
export function parseCron(text: string): CronResult {
  const fields = text.trim() === '' ? [] : text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    return bad(`it has ${String(fields.length)} fields, not 5 (minute hour day-of-month month day-of-week)`);
  }
  for (const [index, field] of fields.entries()) {
    const item = field.split(',').find((part) => !ITEM.test(part));
    if (item !== undefined) return bad(`"${item}" is no ${String(FIELDS[index])}`);
  }
  try {
    // Month and day apart: of a day that never comes cron-parser says only that its definition is invalid.
    const parsed = parseFields(fields.with(3, '*'));
    const cron: Cron = {
      minutes: parsed.minute.values,
      hours: parsed.hour.values,
      months: new Set(parseFields(fields.with(2, '*')).month.values),
      daysOfMonth: new Set(parsed.dayOfMonth.values.map(Number)),
      daysOfWeek: new Set(parsed.dayOfWeek.values.map((day) => Number(day) % 7)),
      eitherDay: !parsed.dayOfMonth.isWildcard && !parsed.dayOfWeek.isWildcard,
    };
    if (wallTimes(cron, 0).next().done !== true) return { kind: 'ok', cron };
    return bad(`its day never comes (day ${fields.slice(2, 4).join(' of month ')})`);
  } catch (error) {
    return bad(String(error).replace(/^Error: /, ''));
  }
}

function parseFields(fields: readonly string[]): CronExpression['fields'] {
  return CronExpressionParser.parse(fields.join(' '), { tz: 'UTC' }).fields;
}

function bad(why: string): CronResult {
  return { kind: 'bad', why };
}

/** The wall times after one, in order: instants as if the clocks showed UTC. Ends where nothing comes in 41 years. */
export function* wallTimes(cron: Cron, afterMs: number): Generator<number, undefined> {
  const firstDayMs = Math.floor(afterMs / DAY_MS) * DAY_MS;
  let lastDay = MOST_DAYS;
  for (let day = 0; day < lastDay; day += 1) {
    const dayMs = firstDayMs + day * DAY_MS;
    if (!isDay(cron, new Date(dayMs))) continue;
    for (const hour of cron.hours) {
      for (const minute of cron.minutes) {
        const wallMs = dayMs + (hour * 60 + minute) * MINUTE_MS;
        if (wallMs <= afterMs) continue;
        lastDay = day + MOST_DAYS;
        yield wallMs;
      }
    }
  }
  return undefined;
}

function isDay(cron: Cron, day: Date): boolean {
  if (!cron.months.has(day.getUTCMonth() + 1)) return false;
  const ofMonth = cron.daysOfMonth.has(day.getUTCDate());
  const ofWeek = cron.daysOfWeek.has(day.getUTCDay());
  return cron.eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

/** Runs in every hour: its occurrences follow elapsed time, not what the clocks show. */
export function isEveryHour(cron: Cron): boolean {
  return cron.hours.length === 24;
}
