import type { MessageCounts } from '../facts.js';

/** What is known of one session when its end is considered. Times are epoch milliseconds. */
export interface LifeFacts {
  readonly status: 'active' | 'suspended' | 'closed';
  readonly pinned: boolean;
  readonly quarantined: boolean;
  readonly createdAtMs: number;
  /** The newest of message, ack, answer and heartbeat; null: it has none of them. */
  readonly lastActiveMs: number | null;
  readonly closedAtMs: number | null;
  /** `none`: the runtime has none, or there never was one; `unknown`: it cannot be asked. */
  readonly container: 'none' | 'running' | 'unknown';
  /** `gone`: it was there; `unmade`: its first message is still to come; `unreadable`: busy, damaged or not to be trusted. */
  readonly files: 'read' | 'gone' | 'unmade' | 'unreadable';
  readonly counts: MessageCounts & { readonly spooled: number };
  /** Series that go on, paused ones included. */
  readonly liveSeries: number;
}

/** How long a session is kept; milliseconds, 0: for ever. */
export interface SessionRetention {
  readonly closeAfterMs: number;
  readonly deleteAfterMs: number;
}

export type LifeVerdict =
  | { readonly kind: 'close'; readonly reason: 'idle' | 'folder_missing' }
  | { readonly kind: 'delete'; readonly reason: 'closed' }
  | { readonly kind: 'keep'; readonly reason: KeepReason };

export type KeepReason =
  | 'pinned'
  | 'suspended'
  | 'quarantined'
  | 'recent'
  | 'container'
  | 'unfinished'
  | 'series'
  | 'runtime_unknown'
  | 'files_unreadable';

/**
 * What becomes of a session (L3 to L5, L8): closed when nothing has happened in it for longer than `closeAfterMs`, deleted
 * when it has been closed for longer than `deleteAfterMs`. Strict: exactly at a threshold it survives. A time in the future counts as now.
 * What cannot be answered keeps it.
 */
export function judgeLife(facts: LifeFacts, retention: SessionRetention, nowMs: number): LifeVerdict {
  if (facts.pinned) return keep('pinned');
  if (facts.status === 'suspended') return keep('suspended');
  return facts.status === 'closed' ? judgeClosed(facts, retention, nowMs) : judgeActive(facts, retention, nowMs);
}

function judgeClosed(facts: LifeFacts, { deleteAfterMs }: SessionRetention, nowMs: number): LifeVerdict {
  if (!isPast(facts.closedAtMs ?? facts.createdAtMs, deleteAfterMs, nowMs)) return keep('recent');
  if (facts.container !== 'none') return keep(facts.container === 'unknown' ? 'runtime_unknown' : 'container');
  return { kind: 'delete', reason: 'closed' };
}

function judgeActive(facts: LifeFacts, { closeAfterMs }: SessionRetention, nowMs: number): LifeVerdict {
  if (facts.quarantined) return keep('quarantined');
  if (facts.files === 'gone') {
    if (facts.container !== 'none') return keep(facts.container === 'unknown' ? 'runtime_unknown' : 'container');
    return facts.counts.spooled > 0 ? keep('unfinished') : { kind: 'close', reason: 'folder_missing' };
  }
  if (!isPast(facts.lastActiveMs ?? facts.createdAtMs, closeAfterMs, nowMs)) return keep('recent');
  if (facts.files === 'unreadable') return keep('files_unreadable');
  const { pending, processing, paused, spooled } = facts.counts;
  if (pending + processing + paused + spooled > 0) return keep('unfinished');
  if (facts.liveSeries > 0) return keep('series');
  if (facts.container !== 'none') return keep(facts.container === 'unknown' ? 'runtime_unknown' : 'container');
  return { kind: 'close', reason: 'idle' };
}

function isPast(atMs: number, windowMs: number, nowMs: number): boolean {
  return windowMs > 0 && nowMs - atMs > windowMs;
}

function keep(reason: KeepReason): LifeVerdict {
  return { kind: 'keep', reason };
}

/** So many folders gone at once are a disk that is not there, not sessions that somebody removed. */
export function isMassLoss(gone: number, sessions: number): boolean {
  return gone > Math.max(2, sessions / 2);
}
