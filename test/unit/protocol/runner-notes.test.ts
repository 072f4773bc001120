import { describe, expect, test } from 'vitest';
import { isExpired, readProviderSession, readResumeFailures } from '../../../src/protocol/runner-notes.js';
import { DAY, HOUR, NOW } from '../core/builders.js';

describe('the age of a resume id', () => {
  test.each<[string, number, number, boolean]>([
    ['L12: used a day ago', NOW - DAY, DAY, false],
    ['L12: used longer ago', NOW - DAY - 1, DAY, true],
    ['L12: kept for ever', NOW - 900 * DAY, 0, false],
    ['L11: an older format', 0, DAY, true],
    ['L11: an older format, kept for ever', 0, 0, true],
    ['L12: a clock that was a little ahead', NOW + HOUR, DAY, false],
    ['L12: a clock that was wrong', NOW + 2 * DAY, DAY, true],
  ])('%s', (_, lastUsedMs, maxAgeMs, expired) => {
    expect(isExpired({ lastUsedMs }, maxAgeMs, NOW)).toBe(expired);
  });
});

describe('a row of session_state', () => {
  const at = new Date(NOW).toISOString();
  test.each<[string, string, unknown]>([
    ['L11: of today', `{"id":"abc","last_used_at":"${at}"}`, { id: 'abc', lastUsedMs: NOW, synthetic: false }],
    ['L11: a bare id', 'abc', { id: 'abc', lastUsedMs: 0, synthetic: false }],
    ['L11: without a time', '{"id":"abc"}', { id: 'abc', lastUsedMs: 0, synthetic: false }],
    [
      'L11: with a time that is none',
      '{"id":"abc","last_used_at":"soon"}',
      { id: 'abc', lastUsedMs: 0, synthetic: false },
    ],
    ['L11: before 1970', '{"id":"abc","last_used_at":"1969-01-01"}', { id: 'abc', lastUsedMs: 0, synthetic: false }],
    [
      'L15: made by us',
      `{"id":"np-1","last_used_at":"${at}","synthetic":true}`,
      { id: 'np-1', lastUsedMs: NOW, synthetic: true },
    ],
  ])('%s', (_, value, session) => {
    expect(readProviderSession('provider_session:claude', value)).toEqual({
      provider: 'claude',
      ...(session as object),
    });
  });

  test.each([
    ['no id', '{"last_used_at":"2026-01-01"}'],
    ['an id with a line break', '{"id":"a\\nb"}'],
    ['an id that is none', '{"id":5}'],
    ['nothing', ' '],
  ])('L11: %s is no resume id', (_, value) => {
    expect(readProviderSession('provider_session:claude', value)).toBeUndefined();
  });

  test.each([['provider_session:'], ['provider_session:a b'], ['memory:claude']])(
    'L15: "%s" names no provider',
    (key) => {
      expect(readProviderSession(key, 'abc')).toBeUndefined();
    },
  );

  test.each<[string, unknown]>([
    ['{"count":3}', { provider: 'claude', count: 3 }],
    ['{"count":-1}', undefined],
    ['{"count":1.5}', undefined],
    ['3', undefined],
  ])('L14: the count %s', (value, found) => {
    expect(readResumeFailures('resume_failures:claude', value)).toEqual(found);
  });
});
