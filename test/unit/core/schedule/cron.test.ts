import { describe, expect, it } from 'vitest';
import { isEveryHour, parseCron, wallTimes } from '../../../../src/core/schedule/cron.js';
import type { Cron } from '../../../../src/core/schedule/cron.js';
import { utc } from '../../../support/wall-times.js';

function cronOf(text: string): Cron {
  const parsed = parseCron(text);
  if (parsed.kind === 'bad') throw new Error(`${text}: ${parsed.why}`);
  return parsed.cron;
}

const five = 'not 5 (minute hour day-of-month month day-of-week)';

describe('F12: what is refused as a cron expression, and why', () => {
  it.each([
    ['', `it has 0 fields, ${five}`],
    ['   ', `it has 0 fields, ${five}`],
    ['*', `it has 1 fields, ${five}`],
    ['* * * *', `it has 4 fields, ${five}`],
    ['0 * * * * *', `it has 6 fields, ${five}`],
    ['@daily', `it has 1 fields, ${five}`],
    ['@reboot', `it has 1 fields, ${five}`],
    ['@every 5 m x y', '"@every" is no minute'],
    ['H * * * *', '"H" is no minute'],
    ['0 H(0-7) * * *', '"H(0-7)" is no hour'],
    ['0 0 L * *', '"L" is no day of month'],
    ['0 0 15W * *', '"15W" is no day of month'],
    ['0 0 ? * *', '"?" is no day of month'],
    ['0 0 * * 1#2', '"1#2" is no day of week'],
    ['0 0 * * 5L', '"5L" is no day of week'],
    ['0 0 * january *', '"january" is no month'],
    ['-5 * * * *', '"-5" is no minute'],
    ['1.5 * * * *', '"1.5" is no minute'],
    ['5, * * * *', '"" is no minute'],
    ['*/ * * * *', '"*/" is no minute'],
    ['*-5 * * * *', '"*-5" is no minute'],
    ['1-2-3 * * * *', '"1-2-3" is no minute'],
    ['100 * * * *', '"100" is no minute'],
    ['＊ * * * *', '"＊" is no minute'],
    ["'; DROP 1 * *", '"\';" is no minute'],
  ])('%j: %s', (text, why) => {
    expect(parseCron(text)).toEqual({ kind: 'bad', why });
  });

  it.each([
    ['60 * * * *', /^Constraint error, got value 60 .*0-59/],
    ['* 24 * * *', /24.*0-23/],
    ['0 0 0 * *', /0 .*1-31/],
    ['0 0 32 * *', /32.*1-31/],
    ['0 0 * 0 *', /0 .*1-12/],
    ['0 0 * 13 *', /13.*1-12/],
    ['0 0 * * 8', /8.*0-7/],
    ['*/0 * * * *', /every 0/],
    ['0 */0 * * *', /every 0/],
    ['0 0 * */0 *', /every 0/],
    ['5-1 * * * *', /range: 5-1/],
    ['0 0 * dec-jan *', /range/],
    ['0 0 * * sat-sun', /range/],
    ['0 0 * foo *', /"foo"/],
    ['0 0 * * foo', /"foo"/],
    ['mon * * * *', /mon/],
    ['1,1 * * * *', /duplicate/],
  ])('%j says what is wrong', (text, why) => {
    const parsed = parseCron(text);
    expect(parsed).toMatchObject({ kind: 'bad', why: expect.stringMatching(why) as string });
  });

  it.each([
    ['0 0 30 2 *', 'its day never comes (day 30 of month 2)'],
    ['0 0 31 feb *', 'its day never comes (day 31 of month feb)'],
    ['0 0 31 4 *', 'its day never comes (day 31 of month 4)'],
    ['0 0 31 4,6,9,11 *', 'its day never comes (day 31 of month 4,6,9,11)'],
    ['* * 30-31 2 *', 'its day never comes (day 30-31 of month 2)'],
  ])('%j: %s', (text, why) => {
    expect(parseCron(text)).toEqual({ kind: 'bad', why });
  });
});

describe('what is taken as a cron expression', () => {
  it.each([
    ['* * * * *'],
    ['0 9 * * *'],
    ['  0   9 *\t* *  '],
    ['*/15 8-18 * * 1-5'],
    ['0 0 1,15 * *'],
    ['30 5 * JAN-mar Mon,wed'],
    ['0 0 29 2 *'],
    ['0 0 28-31 2 *'],
    ['10-50/20 * * * *'],
    ['00 07 * * *'],
    ['0 0 * * 7'],
    // One of both days is enough: the Mondays of February.
    ['0 0 30 2 1'],
  ])('%j', (text) => {
    expect(parseCron(text)).toMatchObject({ kind: 'ok' });
  });

  it('takes it apart, in order', () => {
    expect(cronOf('45,5,25 18,6 2-4 nov-DEC *')).toEqual({
      minutes: [5, 25, 45],
      hours: [6, 18],
      months: new Set([11, 12]),
      daysOfMonth: new Set([2, 3, 4]),
      daysOfWeek: new Set([0, 1, 2, 3, 4, 5, 6]),
      eitherDay: false,
    });
  });

  it('knows Sunday as 0 and as 7', () => {
    for (const sunday of ['0', '7', 'sun']) expect(cronOf(`0 0 * * ${sunday}`).daysOfWeek).toEqual(new Set([0]));
    expect(cronOf('0 0 * * 5-7').daysOfWeek).toEqual(new Set([5, 6, 0]));
  });

  it('takes one of both days as enough only where both are restricted', () => {
    expect(cronOf('0 0 13 * 5').eitherDay).toBe(true);
    expect(cronOf('0 0 13 * *').eitherDay).toBe(false);
    expect(cronOf('0 0 * * 5').eitherDay).toBe(false);
    expect(cronOf('0 0 * * *').eitherDay).toBe(false);
  });

  it('tells what runs in every hour', () => {
    for (const text of ['* * * * *', '30 * * * 1', '0 */1 * * *', '0 0-23 * * *'])
      expect(isEveryHour(cronOf(text))).toBe(true);
    for (const text of ['0 9 * * *', '0 */2 * * *', '0 1-23 * * *']) expect(isEveryHour(cronOf(text))).toBe(false);
  });
});

describe('wall times', () => {
  it('are those after one, in order', () => {
    const times = wallTimes(cronOf('0 9,18 * * *'), utc('2026-01-15 09:00'));
    const expected = ['2026-01-15 18:00', '2026-01-16 09:00', '2026-01-16 18:00'].map(utc);
    expect(expected.map(() => times.next().value)).toEqual(expected);
  });
});
