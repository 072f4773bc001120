import { afterEach, describe, expect, it, vi } from 'vitest';
import { lastOccurrences, latestOccurrence, nextOccurrence } from '../../../../src/core/schedule/occurrences.js';
import { DAY, HOUR, MINUTE } from '../builders.js';
import { shown, utc } from '../../../support/wall-times.js';
import { schedule, walk } from './schedules.js';

const BERLIN = 'Europe/Berlin';
const NEW_YORK = 'America/New_York';
const LORD_HOWE = 'Australia/Lord_Howe';
const APIA = 'Pacific/Apia';

describe('F33: a change of the clocks', () => {
  it.each([
    // Spring forward: what is skipped fires once, as much later.
    ['30 2 * * *', BERLIN, '2026-03-27 12:00', 4, ['Sat 02:30 +1', 'Sun 03:30 +2', 'Mon 02:30 +2', 'Tue 02:30 +2']],
    ['0 2 * * *', BERLIN, '2026-03-28 12:00', 2, ['Sun 03:00 +2', 'Mon 02:00 +2']],
    ['0 3 * * *', BERLIN, '2026-03-28 12:00', 2, ['Sun 03:00 +2', 'Mon 03:00 +2']],
    ['30 2,3 * * *', BERLIN, '2026-03-28 12:00', 3, ['Sun 03:30 +2', 'Mon 02:30 +2', 'Mon 03:30 +2']],
    ['59 1 * * *', BERLIN, '2026-03-28 12:00', 2, ['Sun 01:59 +1', 'Mon 01:59 +2']],
    ['30 2 29 3 *', BERLIN, '2026-03-01 00:00', 2, ['Sun 03:30 +2', 'Mon 02:30 +2']],
    ['30 2 * * *', NEW_YORK, '2026-03-07 12:00', 2, ['Sun 03:30 -4', 'Mon 02:30 -4']],
    ['15 2 * * *', LORD_HOWE, '2026-10-02 20:00', 2, ['Sun 02:45 +11', 'Mon 02:15 +11']],
    ['0 2 * * *', LORD_HOWE, '2026-10-02 20:00', 2, ['Sun 02:30 +11', 'Mon 02:00 +11']],
    // Fall back: what is shown twice fires once, the first time.
    ['30 2 * * *', BERLIN, '2026-10-24 12:00', 2, ['Sun 02:30 +2', 'Mon 02:30 +1']],
    ['0 2,3 * * *', BERLIN, '2026-10-24 12:00', 3, ['Sun 02:00 +2', 'Sun 03:00 +1', 'Mon 02:00 +1']],
    ['0 3 * * *', BERLIN, '2026-10-24 12:00', 2, ['Sun 03:00 +1', 'Mon 03:00 +1']],
    ['30 1 * * *', NEW_YORK, '2026-10-31 12:00', 2, ['Sun 01:30 -4', 'Mon 01:30 -5']],
    ['45 1 * * *', LORD_HOWE, '2026-04-04 10:00', 2, ['Sun 01:45 +11', 'Mon 01:45 +10:30']],
    // What runs in every hour follows elapsed time.
    ['30 * * * *', BERLIN, '2026-03-28 23:59', 3, ['Sun 01:30 +1', 'Sun 03:30 +2', 'Sun 04:30 +2']],
    ['30 * * * *', BERLIN, '2026-10-24 23:59', 4, ['Sun 02:30 +2', 'Sun 02:30 +1', 'Sun 03:30 +1', 'Sun 04:30 +1']],
    ['30 * * * *', NEW_YORK, '2026-11-01 05:00', 3, ['Sun 01:30 -4', 'Sun 01:30 -5', 'Sun 02:30 -5']],
    // Half an hour again: each wall time of its minute fires.
    ['45 * * * *', LORD_HOWE, '2026-04-04 14:00', 3, ['Sun 01:45 +11', 'Sun 01:45 +10:30', 'Sun 02:45 +10:30']],
    ['30 * * * *', LORD_HOWE, '2026-10-03 15:00', 3, ['Sun 02:30 +11', 'Sun 03:30 +11', 'Sun 04:30 +11']],
    // A day that a zone skipped: its occurrence falls together with the next day's.
    ['0 9 * * *', APIA, '2011-12-29 00:00', 3, ['Thu 09:00 -10', 'Sat 09:00 +14', 'Sun 09:00 +14']],
    ['0 9 30 12 *', APIA, '2011-12-01 00:00', 2, ['Sat 09:00 +14', 'Sun 09:00 +14']],
    ['0 0 * * 5', APIA, '2011-12-24 00:00', 2, ['Sat 00:00 +14', 'Fri 00:00 +14']],
  ])('%s in %s after %s UTC', (text, zone, after, count, expected) => {
    const of = schedule(text, zone);
    const found: string[] = [];
    let atMs: number | undefined = utc(after);
    for (let taken = 0; taken < count && atMs !== undefined; taken += 1) {
      atMs = nextOccurrence(of, atMs);
      if (atMs !== undefined) found.push(shown(atMs, zone));
    }
    expect(found).toEqual(expected);
  });

  it('is no gap and no double for what runs every quarter of an hour', () => {
    for (const [zone, from] of [
      [BERLIN, '2026-03-28 20:00'],
      [BERLIN, '2026-10-24 20:00'],
      [LORD_HOWE, '2026-10-03 10:00'],
      [LORD_HOWE, '2026-04-04 10:00'],
      [NEW_YORK, '2026-11-01 00:00'],
    ] as const) {
      const fromMs = utc(from);
      const found = walk(schedule('*/15 * * * *', zone), fromMs, fromMs + DAY);
      expect(found, `${zone} ${from}`).toEqual(
        Array.from({ length: 96 }, (_, index) => fromMs + (index + 1) * 15 * MINUTE),
      );
    }
  });
});

describe('the next occurrence', () => {
  it.each([
    ['* * * * *', '2026-01-15 12:00:00.000', '2026-01-15 12:01'],
    ['* * * * *', '2026-01-15 11:59:59.999', '2026-01-15 12:00'],
    ['0 9 * * *', '2026-01-15 09:00', '2026-01-16 09:00'],
    ['0 9 * * *', '2026-01-15 08:59:59.999', '2026-01-15 09:00'],
    ['0 0 31 * *', '2026-01-31 00:00', '2026-03-31 00:00'],
    ['0 0 29 2 *', '2026-01-01 00:00', '2028-02-29 00:00'],
    ['0 0 29 2 *', '2096-02-29 00:00', '2104-02-29 00:00'],
    ['0 0 13 * 5', '2026-01-01 00:00', '2026-01-02 00:00'],
    ['0 0 13 * 5', '2026-01-09 00:00', '2026-01-13 00:00'],
    ['59 23 31 12 *', '2026-12-31 23:59', '2027-12-31 23:59'],
    ['0 12 * * sun', '2026-01-15 00:00', '2026-01-18 12:00'],
  ])('%s after %s is %s', (text, after, expected) => {
    expect(nextOccurrence(schedule(text), utc(after))).toBe(utc(expected));
  });

  it('is none where none comes', () => {
    const never = { ...schedule('0 0 1 1 *').cron, months: new Set<number>() };
    expect(nextOccurrence({ cron: never, zone: 'UTC' }, 0)).toBeUndefined();
    expect(latestOccurrence({ cron: never, zone: 'UTC' }, 0, DAY)).toBeUndefined();
  });
});

describe('the last occurrences', () => {
  const now = utc('2026-11-15 12:00');
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('count the end and not the beginning', () => {
    const daily = schedule('0 12 * * *');
    expect(latestOccurrence(daily, now - DAY, now)).toBe(now);
    expect(latestOccurrence(daily, now - DAY, now - 1)).toBeUndefined();
    expect(latestOccurrence(daily, now - DAY - 1, now - 1)).toBe(now - DAY);
    expect(latestOccurrence(daily, now, now)).toBeUndefined();
    expect(latestOccurrence(daily, now, now - HOUR)).toBeUndefined();
    expect(lastOccurrences(daily, now - 3 * DAY, now, 24)).toEqual([now - 2 * DAY, now - DAY, now]);
    expect(lastOccurrences(daily, now - 30 * DAY, now, 2)).toEqual([now - DAY, now]);
    expect(lastOccurrences(daily, now - 30 * DAY, now, 0)).toEqual([]);
  });

  it.each([
    ['* * 1 * *', 24, 33],
    ['* 4 1-7 11 *', 24, 30],
    ['0,1,2,3,58 0,23 * * 1', 24, 200],
    ['*/7 3 29 2 *', 24, 1_500],
    ['0 0 29 2 *', 3, 4_000],
    ['30 2 * * *', 24, 200],
    ['* 2 * * *', 24, 5],
    ['30 * * * *', 1, 10],
    ['* * * * *', 24, 0.5],
  ])('%s: as one by one, and of them the last %i', (text, limit, days) => {
    for (const zone of ['UTC', BERLIN, LORD_HOWE]) {
      const of = schedule(text, zone);
      for (const untilMs of [utc('2026-11-01 00:05'), utc('2026-10-25 01:30'), utc('2026-04-04 15:10')]) {
        const afterMs = untilMs - days * DAY;
        expect(lastOccurrences(of, afterMs, untilMs, limit)).toEqual(walk(of, afterMs, untilMs).slice(-limit));
      }
    }
  });

  it.each([
    ['* * * * *', 200],
    ['0 9 * * *', 400],
    ['0 0 1 * *', 400],
    ['0 0 29 2 *', 250],
    ['* * 1 * *', 200],
    // Dense where a window that has grown meets it: not walked through, but looked at again in small ones.
    ['* * * 1 *', 400],
  ])('%s: what they cost does not grow with the time that the daemon was away', (text, most) => {
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    // Each in a zone of its own, none of which was asked before.
    for (const [years, zone] of [
      [1, 'Europe/Paris'],
      [20, 'Europe/Rome'],
      [40, 'Europe/Vienna'],
    ] as const) {
      asked.mockClear();
      lastOccurrences(schedule(text, zone), now - years * 365 * DAY, now, 24);
      expect(asked.mock.calls.length).toBeGreaterThan(0);
      expect(asked.mock.calls.length).toBeLessThan(most);
    }
  });

  it('cost little around a change of the clocks too', () => {
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    const of = schedule('* * * * *', 'Europe/Madrid');
    expect(lastOccurrences(of, utc('2026-01-01 00:00'), utc('2026-10-25 01:30'), 24)).toHaveLength(24);
    expect(asked.mock.calls.length).toBeLessThan(200);
  });
});
