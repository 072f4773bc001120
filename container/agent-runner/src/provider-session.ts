import { formatInstant, parseInstant } from '../../../src/protocol/times.js';

/** What `session_state` keeps under `provider_session:<provider>`. */
export interface StoredSession {
  readonly id: string;
  /** 0: a bare id of an older format, or a time that is none. */
  readonly lastUsedAtMs: number;
  /** Ours, for a provider without sessions of its own: never sent to it. */
  readonly synthetic: boolean;
  /** What was said up to this `seq` is left out of what such a provider is told; null: nothing is. */
  readonly afterSeq: number | null;
}

/** Clocks that were set differ by hours; an id from further ahead than this is not to be believed. */
const FUTURE_MAX_MS = 24 * 60 * 60 * 1000;

export function sessionKey(provider: string): string {
  return `provider_session:${provider}`;
}

/** `{"id": ..., "last_used_at": ...}`, or the bare id of an older format; null: there is none. */
export function parseSession(value: string): StoredSession | null {
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === 'object' && parsed !== null && 'id' in parsed && typeof parsed.id === 'string') {
      return readSession(parsed.id, parsed);
    }
  } catch {
    // A bare id is no JSON.
  }
  return value === '' ? null : { id: value, lastUsedAtMs: 0, synthetic: false, afterSeq: null };
}

function readSession(id: string, fields: Readonly<Record<string, unknown>>): StoredSession | null {
  if (id === '') return null;
  const { last_used_at: lastUsedAt, synthetic, after_seq: afterSeq } = fields;
  return {
    id,
    lastUsedAtMs: (typeof lastUsedAt === 'string' ? parseInstant(lastUsedAt) : undefined) ?? 0,
    synthetic: synthetic === true,
    afterSeq: typeof afterSeq === 'number' && Number.isSafeInteger(afterSeq) ? afterSeq : null,
  };
}

export function formatSession(session: StoredSession): string {
  return JSON.stringify({
    id: session.id,
    last_used_at: formatInstant(session.lastUsedAtMs),
    ...(session.synthetic ? { synthetic: true } : {}),
    ...(session.afterSeq === null ? {} : { after_seq: session.afterSeq }),
  });
}

/** The id that may be given to the provider; `maxAgeMs` 0: none is ever too old. */
export function usableId(stored: StoredSession | null, nowMs: number, maxAgeMs: number): string | null {
  if (stored === null || stored.synthetic) return null;
  if (maxAgeMs === 0) return stored.id;
  const ageMs = nowMs - stored.lastUsedAtMs;
  return ageMs > maxAgeMs || ageMs < -FUTURE_MAX_MS ? null : stored.id;
}
