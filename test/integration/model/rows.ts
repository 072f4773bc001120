import type { SessionStatus } from '../../../src/ports/registry.js';
import type { MissedPolicy } from '../../../src/protocol/rows.js';

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;

export type Outcome = 'completed' | 'retryable' | 'rate_limited' | 'fatal';

export interface Message {
  readonly id: string;
  readonly wakes: boolean;
  readonly series: { readonly id: string; readonly missed: MissedPolicy } | null;
  status: 'pending' | 'paused' | 'completed' | 'failed';
  /** Its series goes on with it. */
  isLive: boolean;
  occurrenceMs: number | null;
  dueMs: number;
  tries: number;
  deferrals: number;
  attempt: number;
  isClaimed: boolean;
  /** When its turn began, as far as the host knows. */
  begunMs: number;
  endedMs: number;
  reason: string | null;
}

export interface Container {
  readonly startedMs: number;
  isGone: boolean;
  hasClaimed: boolean;
  does: 'turn' | 'due' | 'idle';
  /** Since when it does so, as far as the host knows. */
  sinceMs: number;
  silentSinceMs: number | null;
}

export interface Limit {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** It may be tried again before. */
  readonly nextMs: number;
  readonly isTrying: boolean;
}

export interface Session {
  readonly name: string;
  readonly messages: Message[];
  /** Messages, in the order of their answers. */
  readonly answered: string[];
  /** What an operator was told of stops for cause. */
  readonly told: Set<'stopped' | 'not_claiming'>;
  status: SessionStatus;
  container: Container | null;
  /** Starts ever. */
  epoch: number;
  fruitless: number;
  notBeforeMs: number;
  deadInARow: number;
  /** What its provider, which no other session has, asked to wait for. */
  limit: Limit | null;
  held: 'fruitless_starts' | 'settled_failures' | null;
  probeMs: number;
}

export function newSession(name: string): Session {
  const guard = { fruitless: 0, notBeforeMs: 0, deadInARow: 0, held: null, probeMs: 0 };
  const fresh = { status: 'active', container: null, epoch: 0, limit: null } as const;
  return { name, messages: [], answered: [], told: new Set(), ...fresh, ...guard };
}

export type NewMessage = Pick<Message, 'id' | 'dueMs'> & Partial<Message>;

export function newMessage(message: NewMessage): Message {
  const fresh = { status: 'pending', tries: 0, deferrals: 0, attempt: 0, reason: null, endedMs: 0 } as const;
  const series = { series: null, isLive: false, occurrenceMs: null };
  return { ...fresh, ...series, wakes: true, isClaimed: false, begunMs: 0, ...message };
}

export function claimsOf({ messages }: Session): Message[] {
  return messages.filter(({ isClaimed }) => isClaimed);
}

export function isFree({ status, isClaimed }: Message): boolean {
  return status === 'pending' && !isClaimed;
}

/** What wakes its session now, oldest due first. */
export function dueOf({ messages }: Session, nowMs: number): Message[] {
  const due = messages.filter((message) => message.wakes && isFree(message) && message.dueMs <= nowMs);
  return due.sort((a, b) => a.dueMs - b.dueMs);
}
