import { isExpired, PROVIDER_SESSION_KEY, readProviderSession } from '../../../src/protocol/runner-notes.js';
import { formatInstant } from '../../../src/protocol/times.js';

/** What `session_state` keeps under `provider_session:<provider>`. */
export interface StoredSession {
  readonly id: string;
  /** 0: a bare id of an older format, or a time that is none. */
  readonly lastUsedMs: number;
  /** Ours, for a provider without sessions of its own: never sent to it. */
  readonly synthetic: boolean;
  /** What was said up to this `seq` is left out of what such a provider is told; null: nothing is. */
  readonly afterSeq: number | null;
}

export function sessionKey(provider: string): string {
  return PROVIDER_SESSION_KEY + provider;
}

/** null: there is none that can be used. */
export function parseSession(provider: string, value: string): StoredSession | null {
  const session = readProviderSession(sessionKey(provider), value);
  if (session === undefined) return null;
  const { id, lastUsedMs, synthetic } = session;
  return { id, lastUsedMs, synthetic, afterSeq: synthetic ? afterSeqIn(value) : null };
}

function afterSeqIn(value: string): number | null {
  const record: unknown = JSON.parse(value);
  const seq = typeof record === 'object' && record !== null && 'after_seq' in record ? record.after_seq : null;
  return typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null;
}

export function formatSession(session: StoredSession): string {
  return JSON.stringify({
    id: session.id,
    last_used_at: formatInstant(session.lastUsedMs),
    ...(session.synthetic ? { synthetic: true } : {}),
    ...(session.afterSeq === null ? {} : { after_seq: session.afterSeq }),
  });
}

/** The id that may be given to the provider. */
export function usableId(stored: StoredSession | null, nowMs: number, maxAgeMs: number): string | null {
  if (stored === null || stored.synthetic) return null;
  return isExpired(stored, maxAgeMs, nowMs) ? null : stored.id;
}
