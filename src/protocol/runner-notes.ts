import type { ProviderSessionId } from './address.js';
import { parseInstant } from './times.js';

/** `session_state` keys that host and runner share; the provider's name follows. */
export const PROVIDER_SESSION_KEY = 'provider_session:';
/** Value `{"count": n}`: resume ids that the provider did not know, ever. */
export const RESUME_FAILURES_KEY = 'resume_failures:';
/** Value `{"turns", "calls", "input_tokens", "output_tokens", "cost_usd"}`: by the provider's own figures, ever. */
export const USAGE_KEY = 'nightporter_usage';

/** One line that no terminal or environment could choke on. */
const PROVIDER_SESSION_ID = /^[\x21-\x7e]{1,512}$/;
/** More is nonsense; so that no sum of what containers say is a number that nobody can count with. */
const MOST_TOKENS = 1e12;
const MOST_USD = 1e6;
const PROVIDER = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** What a provider knows a session by. */
export interface ProviderSession {
  readonly provider: string;
  readonly id: ProviderSessionId;
  /** Epoch milliseconds; 0: an older format that does not say. */
  readonly lastUsedMs: number;
  /** Made by us for a provider that has no sessions: never sent to it. */
  readonly synthetic: boolean;
}

/** What the runner keeps in `session_state` for the host to know. */
export interface RunnerNotes {
  /** At most one of each provider. */
  readonly sessions: readonly ProviderSession[];
  /** By provider, ever: it only grows, but for a file that was replaced. */
  readonly resumeFailures: Readonly<Record<string, number>>;
  /** By the provider's own figures, ever; null: it gives none. */
  readonly usage: UsageNote | null;
}

export interface UsageNote {
  /** In and out. */
  readonly tokens: number;
  /** Of a US dollar, millionths. */
  readonly costMicros: number;
}

export const NO_NOTES: RunnerNotes = { sessions: [], resumeFailures: {}, usage: null };

/** A clock that was wrong when an id was used may have put its use so far ahead, not further. */
const MOST_AHEAD_MS = 24 * 3_600_000;

/**
 * Whether a provider's session is too old to be resumed (L11, L12): a call with it would only cost money. `maxAgeMs` 0: it
 * never is, but for ids of a format that does not say when they were used.
 */
export function isExpired(
  { lastUsedMs }: Pick<ProviderSession, 'lastUsedMs'>,
  maxAgeMs: number,
  nowMs: number,
): boolean {
  if (lastUsedMs === 0) return true;
  return maxAgeMs > 0 && (nowMs - lastUsedMs > maxAgeMs || lastUsedMs - nowMs > MOST_AHEAD_MS);
}

/** Reads a row of `session_state`: `{"id", "last_used_at", "synthetic"?}`, or a bare id; undefined: it holds none. */
export function readProviderSession(key: string, value: string): ProviderSession | undefined {
  const provider = providerOf(key, PROVIDER_SESSION_KEY);
  if (provider === undefined) return undefined;
  const record = parseObject(value);
  const id = record === undefined ? value.trim() : record['id'];
  if (typeof id !== 'string' || !PROVIDER_SESSION_ID.test(id)) return undefined;
  const at = record?.['last_used_at'];
  return {
    provider,
    id: id as ProviderSessionId,
    lastUsedMs: Math.max(0, (typeof at === 'string' ? parseInstant(at) : undefined) ?? 0),
    synthetic: record?.['synthetic'] === true,
  };
}

/** Reads a row of `session_state`; undefined: it holds no count. */
export function readResumeFailures(
  key: string,
  value: string,
): { readonly provider: string; readonly count: number } | undefined {
  const provider = providerOf(key, RESUME_FAILURES_KEY);
  const count = parseObject(value)?.['count'];
  if (provider === undefined || typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    return undefined;
  return { provider, count };
}

/** Reads the value of `nightporter_usage`: `{"input_tokens", "output_tokens", "cost_usd"}`; null: it holds no figures. */
export function readUsage(value: string): UsageNote | null {
  const figures = parseObject(value);
  if (figures === undefined) return null;
  const figure = (name: string, most: number): number => {
    const found = figures[name];
    return typeof found === 'number' && found > 0 ? Math.min(found, most) : 0;
  };
  const tokens = Math.floor(figure('input_tokens', MOST_TOKENS) + figure('output_tokens', MOST_TOKENS));
  return { tokens, costMicros: Math.round(figure('cost_usd', MOST_USD) * 1e6) };
}

function providerOf(key: string, prefix: string): string | undefined {
  const name = key.startsWith(prefix) ? key.slice(prefix.length) : '';
  return PROVIDER.test(name) ? name : undefined;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as Readonly<Record<string, unknown>>;
  } catch {
    // A bare id, as older formats have it.
    return undefined;
  }
}
