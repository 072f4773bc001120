import { afterEach, describe, expect, it, vi } from 'vitest';
import { instantsOf, offsetMs, offsetsAround } from '../../../../src/core/schedule/zone.js';
import { HOUR, MINUTE } from '../builders.js';
import { utc } from '../../../support/wall-times.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the offset of a zone at an instant', () => {
  it.each([
    ['UTC', '2026-07-01 12:00', 0],
    ['Europe/Berlin', '2026-03-29 00:59', 1],
    ['Europe/Berlin', '2026-03-29 01:00', 2],
    ['Europe/Berlin', '2026-10-25 00:59', 2],
    ['Europe/Berlin', '2026-10-25 01:00', 1],
    ['America/New_York', '2026-03-08 06:59', -5],
    ['America/New_York', '2026-03-08 07:00', -4],
    ['Australia/Lord_Howe', '2026-04-04 14:59', 11],
    ['Australia/Lord_Howe', '2026-04-04 15:00', 10.5],
    ['Asia/Kathmandu', '2026-01-01 00:00', 5.75],
    ['Pacific/Apia', '2011-12-30 09:59', -10],
    ['Pacific/Apia', '2011-12-30 10:00', 14],
  ])('%s at %s UTC: %s h', (zone, at, hours) => {
    expect(offsetMs(zone, utc(at))).toBe(hours * HOUR);
  });

  it('does not depend on fractions of a second, before 1970 neither', () => {
    expect(offsetMs('Europe/Berlin', utc('2026-01-01 00:00:00.999'))).toBe(HOUR);
    expect(offsetMs('UTC', -1)).toBe(0);
  });

  it('is asked for once per quarter of an hour; beyond two thousand of them that begins anew', () => {
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    const ask = (quarter: number): number => offsetMs('Asia/Dhaka', quarter * 15 * MINUTE + 14 * MINUTE);
    for (let quarter = 0; quarter < 2_000; quarter += 1) expect(ask(quarter)).toBe(6 * HOUR);
    expect([ask(0), ask(1_999)]).toEqual([6 * HOUR, 6 * HOUR]);
    expect(asked).toHaveBeenCalledTimes(2_000);
    ask(2_000);
    ask(2_000);
    expect(asked).toHaveBeenCalledTimes(2_001);
    ask(0);
    expect(asked).toHaveBeenCalledTimes(2_002);
  });

  it('takes a format that is made once per zone', () => {
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    expect([offsetMs('Asia/Yerevan', 0), offsetMs('Asia/Yerevan', HOUR)]).toEqual([4 * HOUR, 4 * HOUR]);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(new Set(asked.mock.contexts).size).toBe(1);
  });

  it('differs around a change of the clocks alone', () => {
    expect(offsetsAround('Europe/Berlin', utc('2026-03-29 01:00'))).toEqual([HOUR, 2 * HOUR]);
    expect(offsetsAround('Europe/Berlin', utc('2026-03-31 02:00'))).toEqual([2 * HOUR, 2 * HOUR]);
  });
});

describe('the instants of a wall time', () => {
  it.each([
    ['Europe/Berlin', '2026-07-01 12:00', ['2026-07-01 10:00']],
    // Skipped: as much later as the clocks skip.
    ['Europe/Berlin', '2026-03-29 02:30', ['2026-03-29 01:30']],
    ['Europe/Berlin', '2026-03-29 03:00', ['2026-03-29 01:00']],
    ['Europe/Berlin', '2026-10-25 02:30', ['2026-10-25 00:30', '2026-10-25 01:30']],
    ['Europe/Berlin', '2026-10-25 03:00', ['2026-10-25 02:00']],
    ['America/New_York', '2026-03-08 02:30', ['2026-03-08 07:30']],
    ['America/New_York', '2026-11-01 01:30', ['2026-11-01 05:30', '2026-11-01 06:30']],
    ['Australia/Lord_Howe', '2026-04-05 01:45', ['2026-04-04 14:45', '2026-04-04 15:15']],
    ['Australia/Lord_Howe', '2026-10-04 02:15', ['2026-10-03 15:45']],
    ['Pacific/Apia', '2011-12-29 12:00', ['2011-12-29 22:00']],
    ['Pacific/Apia', '2011-12-30 12:00', ['2011-12-30 22:00']],
    ['Pacific/Apia', '2011-12-31 12:00', ['2011-12-30 22:00']],
  ])('%s, %s', (zone, wall, instants) => {
    expect(instantsOf(zone, utc(wall))).toEqual(instants.map(utc));
  });

  it('are one everywhere but where the clocks change', () => {
    for (let wallMs = utc('2026-03-26 00:00'); wallMs < utc('2026-03-28 00:00'); wallMs += 15 * MINUTE) {
      expect(instantsOf('Europe/Berlin', wallMs)).toEqual([wallMs - HOUR]);
    }
  });
});
