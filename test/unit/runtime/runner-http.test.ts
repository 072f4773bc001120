import { describe, expect, it } from 'vitest';
import { retryAtMs } from '../../../container/agent-runner/src/http/retry-after.js';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');

describe('L18 the end of a limit', () => {
  it.each<[string, Readonly<Record<string, string>>, number | null]>([
    ['seconds', { 'retry-after': '30' }, 30_000],
    ['a date', { 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60_000],
    ['a date that is past', { 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' }, 0],
    ['milliseconds, before seconds', { 'retry-after-ms': '1500', 'retry-after': '9' }, 1_500],
    [
      'the limit that is used up, of several',
      {
        'anthropic-ratelimit-requests-remaining': '7',
        'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:05Z',
        'anthropic-ratelimit-input-tokens-remaining': '0',
        'anthropic-ratelimit-input-tokens-reset': '2026-01-01T00:02:00Z',
      },
      120_000,
    ],
    [
      'the later of two that are used up',
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '6m0s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '20ms',
      },
      360_000,
    ],
    [
      'the next one where it does not say which',
      { 'x-ratelimit-reset-requests': '1m', 'x-ratelimit-reset-tokens': '2s' },
      2_000,
    ],
    [
      'an instant in milliseconds',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS + 5_000) },
      5_000,
    ],
    ['nothing', {}, null],
    ['a word', { 'retry-after': 'soon' }, null],
    ['a time that is none', { 'retry-after': '99999999999999' }, null],
  ])('is read from %s', (_what, headers, inMs) => {
    expect(retryAtMs(new Headers(headers), NOW_MS)).toBe(inMs === null ? null : NOW_MS + inMs);
  });
});
