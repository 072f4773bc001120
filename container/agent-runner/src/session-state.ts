import type Database from 'better-sqlite3';
import { readResumeFailures, RESUME_FAILURES_KEY, USAGE_KEY } from '../../../src/protocol/runner-notes.js';
import { formatInstant } from '../../../src/protocol/times.js';
import { formatSession, parseSession, sessionKey } from './provider-session.js';
import type { StoredSession } from './provider-session.js';
import { withTurn } from './usage.js';
import type { TurnUsage } from './usage.js';

/** What a turn leaves behind of its provider's session. */
export type SessionChange =
  | { readonly kind: 'keep'; readonly provider: string; readonly session: Omit<StoredSession, 'lastUsedMs'> }
  | { readonly kind: 'forget'; readonly provider: string };

/** Reading and writing of `session_state`, within whatever transaction `db` is in. */
export function findSession(db: Database.Database, provider: string): StoredSession | null {
  const value = findValue(db, sessionKey(provider));
  return value === undefined ? null : parseSession(provider, value);
}

export function storeSession(db: Database.Database, provider: string, session: StoredSession, nowMs: number): void {
  storeValue(db, sessionKey(provider), formatSession(session), nowMs);
}

/** Only if it is still the stored one. */
export function forgetSession(db: Database.Database, provider: string, id: string): void {
  if (findSession(db, provider)?.id === id) removeSession(db, provider);
}

export function applyChange(db: Database.Database, change: SessionChange, nowMs: number): void {
  if (change.kind === 'forget') removeSession(db, change.provider);
  else storeSession(db, change.provider, { ...change.session, lastUsedMs: nowMs }, nowMs);
}

/** Times that a provider did not know a session which it was to resume; whoever counts reads differences. */
export function countResumeFailure(db: Database.Database, provider: string, nowMs: number): void {
  const key = RESUME_FAILURES_KEY + provider;
  const before = readResumeFailures(key, findValue(db, key) ?? '')?.count ?? 0;
  storeValue(db, key, JSON.stringify({ count: before + 1 }), nowMs);
}

export function addUsage(db: Database.Database, usage: TurnUsage, nowMs: number): void {
  storeValue(db, USAGE_KEY, withTurn(findValue(db, USAGE_KEY), usage), nowMs);
}

function findValue(db: Database.Database, key: string): string | undefined {
  const value = db.prepare<[string]>('SELECT value FROM session_state WHERE key = ?').pluck().get(key);
  return typeof value === 'string' ? value : undefined;
}

function storeValue(db: Database.Database, key: string, value: string, nowMs: number): void {
  db.prepare(
    `INSERT INTO session_state (key, value, updated_at) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
  ).run(key, value, formatInstant(nowMs));
}

function removeSession(db: Database.Database, provider: string): void {
  db.prepare('DELETE FROM session_state WHERE key = ?').run(sessionKey(provider));
}
