import { sensibleInstant } from '../sensible-instant.js';

const SPAN_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

interface Limit {
  readonly remaining: string;
  readonly reset: string;
}

/** Headers in which providers say when which limit is whole again. */
const LIMITS: readonly Limit[] = [
  ...['requests', 'tokens', 'input-tokens', 'output-tokens'].map((what) => ({
    remaining: `anthropic-ratelimit-${what}-remaining`,
    reset: `anthropic-ratelimit-${what}-reset`,
  })),
  ...['requests', 'tokens'].map((what) => ({
    remaining: `x-ratelimit-remaining-${what}`,
    reset: `x-ratelimit-reset-${what}`,
  })),
  { remaining: 'x-ratelimit-remaining', reset: 'x-ratelimit-reset' },
];

/**
 * When a limited request may be tried again: `retry-after` (seconds, a date, or milliseconds in `retry-after-ms`), else the
 * end of the limits that are used up, else the next end of any. null: the headers do not say.
 */
export function retryAtMs(headers: Headers, nowMs: number): number | null {
  const waitMs = numberIn(headers.get('retry-after-ms'));
  if (waitMs !== undefined) return sensibleInstant(nowMs + waitMs, nowMs);
  const after = headers.get('retry-after');
  if (after !== null) return sensibleInstant(instantOf(after, nowMs, 1_000), nowMs);
  const resets = LIMITS.flatMap(({ remaining, reset }) => {
    const value = headers.get(reset);
    const atMs = value === null ? null : sensibleInstant(instantOf(value, nowMs, 1), nowMs);
    return atMs === null ? [] : [{ atMs, isUsedUp: numberIn(headers.get(remaining)) === 0 }];
  });
  const usedUp = resets.filter(({ isUsedUp }) => isUsedUp).map(({ atMs }) => atMs);
  if (usedUp.length > 0) return Math.max(...usedUp);
  return resets.length > 0 ? Math.min(...resets.map(({ atMs }) => atMs)) : null;
}

/** A date, a span (`6m0s`, `20ms`), an instant in milliseconds or seconds, or a plain number of `unitMs`. */
function instantOf(text: string, nowMs: number, unitMs: number): number {
  const number = numberIn(text);
  if (number !== undefined) {
    if (number > 1e12) return number;
    return number > 1e9 ? number * 1000 : nowMs + number * unitMs;
  }
  const spanMs = spanOf(text);
  return spanMs === undefined ? Date.parse(text) : nowMs + spanMs;
}

function spanOf(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  return parts.reduce((sum, [, digits, unit]) => sum + Number(digits) * (SPAN_UNITS[unit ?? ''] ?? 0), 0);
}

function numberIn(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}
