import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from '../../../../src/core/schedule/cron.js';
import { lastOccurrences, latestOccurrence, nextOccurrence } from '../../../../src/core/schedule/occurrences.js';
import { DAY, HOUR, MINUTE } from '../builders.js';
import { utc } from '../../../support/wall-times.js';
import { schedule, walk } from './schedules.js';

/** Where a zone skips a day every minute of two days is asked for: seconds, and more on a machine that others use. */
const WALK_TIMEOUT_MS = 60_000;

/** Days around changes of the clocks, two on each side: forward and back, half an hour, midnight, a whole day. */
const CHANGES = [
  ['Europe/Berlin', '2026-03-29 01:00'],
  ['Europe/Berlin', '2026-10-25 01:00'],
  ['America/New_York', '2026-03-08 07:00'],
  ['America/New_York', '2026-11-01 06:00'],
  ['Australia/Lord_Howe', '2026-04-04 15:00'],
  ['Australia/Lord_Howe', '2026-10-03 15:30'],
  ['America/Havana', '2026-03-08 05:00'],
  ['America/Havana', '2026-11-01 05:00'],
  ['Asia/Tehran', '2021-03-21 20:30'],
  ['Pacific/Apia', '2011-12-30 10:00'],
  ['UTC', '2026-03-29 01:00'],
] as const;

interface Fields {
  readonly minutes: readonly number[] | null;
  readonly hours: readonly number[] | null;
  readonly days: readonly number[] | null;
  readonly weekdays: readonly number[] | null;
}

const some = (min: number, max: number, maxLength: number) =>
  fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength });
const any = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 2 });
const someFields: fc.Arbitrary<Fields> = fc.record({
  minutes: any(fc.oneof(some(0, 59, 3), fc.constantFrom([0], [30], [0, 15, 30, 45]))),
  hours: any(fc.oneof(some(0, 23, 3), some(0, 4, 3))),
  days: any(some(1, 31, 10)),
  weekdays: any(some(0, 6, 4)),
});

function textOf({ minutes, hours, days, weekdays }: Fields): string {
  const field = (values: readonly number[] | null): string => values?.join(',') ?? '*';
  return `${field(minutes)} ${field(hours)} ${field(days)} * ${field(weekdays)}`;
}

/** A wall time, as if it were UTC. */
function matches({ minutes, hours, days, weekdays }: Fields, wallMs: number): boolean {
  const wall = new Date(wallMs);
  const inDays = days?.includes(wall.getUTCDate());
  const inWeekdays = weekdays?.includes(wall.getUTCDay());
  const isDay =
    inDays === undefined || inWeekdays === undefined ? (inDays ?? inWeekdays ?? true) : inDays || inWeekdays;
  return isDay && minutes?.includes(wall.getUTCMinutes()) !== false && hours?.includes(wall.getUTCHours()) !== false;
}

/** What the clocks show at every minute of the days around a change. */
function minutesAround(zone: string, changeMs: number): readonly { readonly atMs: number; readonly wallMs: number }[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  return Array.from({ length: (4 * DAY) / MINUTE }, (_, index) => {
    const atMs = changeMs - 2 * DAY + index * MINUTE;
    return { atMs, wallMs: utc(format.format(atMs)) };
  });
}

/** The rule, walked minute by minute: skipped wall times fire late, repeated ones the first time or in every hour. */
function firings(fields: Fields, minutes: ReturnType<typeof minutesAround>): readonly number[] {
  const everyHour = fields.hours === null || fields.hours.length === 24;
  const fired = new Set<number>();
  let latestWallMs = -Infinity;
  let before: (typeof minutes)[number] | undefined;
  for (const minute of minutes) {
    if (before !== undefined) {
      const offsetMs = before.wallMs - before.atMs;
      for (let skippedMs = before.wallMs + MINUTE; skippedMs < minute.wallMs; skippedMs += MINUTE) {
        if (matches(fields, skippedMs)) fired.add(skippedMs - offsetMs);
      }
    }
    const isRepeated = minute.wallMs <= latestWallMs;
    if (matches(fields, minute.wallMs) && (everyHour || !isRepeated)) fired.add(minute.atMs);
    latestWallMs = Math.max(latestWallMs, minute.wallMs);
    before = minute;
  }
  return [...fired].sort((a, b) => a - b);
}

describe('F33: occurrences around a change of the clocks', () => {
  for (const [zone, change] of CHANGES) {
    const minutes = minutesAround(zone, utc(change));
    const fromMs = utc(change) - DAY;
    const untilMs = utc(change) + DAY;

    test(
      `are those of a walk over the minutes: ${zone} ${change}`,
      () => {
        fc.assert(
          fc.property(someFields, (fields) => {
            const expected = firings(fields, minutes).filter((atMs) => atMs > fromMs && atMs <= untilMs);
            expect(walk(schedule(textOf(fields), zone), fromMs, untilMs)).toEqual(expected);
          }),
          { numRuns: 20 },
        );
      },
      WALK_TIMEOUT_MS,
    );

    test(`come from wherever one begins, always later: ${zone} ${change}`, () => {
      fc.assert(
        fc.property(someFields, fc.integer({ min: fromMs, max: untilMs }), (fields, afterMs) => {
          const nextMs = nextOccurrence(schedule(textOf(fields), zone), afterMs) ?? 0;
          expect(nextMs).toBeGreaterThan(afterMs);
          const expected = firings(fields, minutes).find((atMs) => atMs > afterMs);
          if (nextMs <= untilMs || (expected ?? Infinity) <= untilMs) expect(nextMs).toBe(expected);
        }),
        { numRuns: 40 },
      );
    });

    test(`are the same looked for from the end: ${zone} ${change}`, () => {
      fc.assert(
        fc.property(someFields, fc.nat(2 * 24 * 60), fc.integer({ min: 1, max: 30 }), (fields, minute, limit) => {
          const of = schedule(textOf(fields), zone);
          const endMs = fromMs + minute * MINUTE;
          const all = firings(fields, minutes).filter((atMs) => atMs > fromMs && atMs <= endMs);
          expect(lastOccurrences(of, fromMs, endMs, limit)).toEqual(all.slice(-limit));
          expect(latestOccurrence(of, fromMs, endMs)).toBe(all.at(-1));
        }),
        { numRuns: 40 },
      );
    });
  }
});

const item = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min: 1, max: Math.min(max, 20) }).map((step) => `*/${String(step)}`),
    some(min, max, 4).map((values) => values.join(',')),
    fc
      .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 9 }))
      .map(([a, b, step]) => `${String(Math.min(a, b))}-${String(Math.max(a, b))}/${String(step)}`),
  );
const someText = fc
  .tuple(item(0, 59), item(0, 23), item(1, 28), item(1, 12), item(0, 6))
  .map((fields) => fields.join(' '));

describe('far from any change of the clocks', () => {
  test('occurrences are those of cron-parser', () => {
    const around = fc.integer({ min: utc('1995-01-01 00:00'), max: utc('2080-01-01 00:00') });
    fc.assert(
      fc.property(someText, around, fc.constantFrom('UTC', 'Asia/Tokyo', 'Asia/Kathmandu'), (text, afterMs, zone) => {
        const peer = CronExpressionParser.parse(text, { tz: zone, currentDate: new Date(afterMs) });
        let atMs = afterMs;
        for (let count = 0; count < 3; count += 1) {
          const nextMs = nextOccurrence(schedule(text, zone), atMs);
          expect(nextMs).toBe(peer.next().getTime());
          atMs = nextMs ?? atMs;
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('parseCron', () => {
  test('takes nothing that cron-parser refuses, never throws, and what it takes fires', () => {
    const field = fc.stringMatching(/^[0-9*/,\-a-zL#?@ ]{0,6}$/);
    const anything = fc.oneof(
      fc.string(),
      fc.array(field, { maxLength: 7 }).map((fields) => fields.join(' ')),
      fc.array(item(0, 40), { minLength: 4, maxLength: 6 }).map((fields) => fields.join(' ')),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parseCron(text);
        if (parsed.kind === 'bad') {
          expect(parsed.why).not.toBe('');
          return;
        }
        expect(text.trim().split(/\s+/)).toHaveLength(5);
        CronExpressionParser.parse(text);
        expect(nextOccurrence({ cron: parsed.cron, zone: 'UTC' }, Date.UTC(2026, 0, 1))).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test('an hour later is never an earlier occurrence', () => {
    fc.assert(
      fc.property(someText, fc.integer({ min: 0, max: 60 * 365 }), (text, hours) => {
        const afterMs = utc('2026-01-01 00:00') + hours * HOUR;
        const of = schedule(text, 'Europe/Berlin');
        expect(nextOccurrence(of, afterMs + HOUR)).toBeGreaterThanOrEqual(nextOccurrence(of, afterMs) ?? Infinity);
      }),
      { numRuns: 100 },
    );
  });
});
