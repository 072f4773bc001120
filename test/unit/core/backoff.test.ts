import { describe, expect, test } from 'vitest';
import { rateLimitDelayMs, retryDelayMs } from '../../../src/core/backoff.js';
import { DAY, HOUR, MINUTE, NOW, POLICY, SECOND } from './builders.js';

describe('the wait before a retry', () => {
  test('doubles from 5 s to 80 s over the five retries', () => {
    const delays = [0, 1, 2, 3, 4].map((tries) => retryDelayMs(tries, POLICY));
    expect(delays).toEqual([5, 10, 20, 40, 80].map((seconds) => seconds * SECOND));
  });
});

describe('the wait for a rate limit', () => {
  test.each([
    ['a named time is waited for', 0, NOW + HOUR, HOUR],
    ['a named time that is past is 5 s away', 0, NOW - HOUR, 5 * SECOND],
    ['a named time that is now is 5 s away', 0, NOW, 5 * SECOND],
    ['a named time beyond a day is cut to a day (F15)', 0, NOW + 400 * DAY, DAY],
    ['without a time the first wait is 60 s', 0, null, MINUTE],
    ['without a time it doubles', 3, null, 8 * MINUTE],
    ['without a time it ends at a day', 19, null, DAY],
  ])('L18: %s', (_, deferrals, retryAtMs, expected) => {
    expect(rateLimitDelayMs(deferrals, retryAtMs, NOW)).toBe(expected);
  });
});
