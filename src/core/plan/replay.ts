import type { MessageChange, MessageRow } from '../../protocol/rows.js';
import type { Action } from '../action.js';
import { claimRef } from '../claims.js';
import type { FilesFacts, ReplayFacts } from '../facts.js';

export interface ReplayPlan {
  readonly actions: readonly Action[];
  /** What a foreign runner left of a message has to go first, which needs its container gone. */
  readonly rearmWaits: boolean;
}

/** What becomes of the replays that operators asked for. */
export function planReplay({ replays }: Pick<FilesFacts, 'replays'>, noneRuns: boolean, nowMs: number): ReplayPlan {
  const decided = replays.map((replay) => decide(replay, noneRuns, nowMs));
  return {
    actions: decided.filter((action) => action !== 'waits'),
    rearmWaits: decided.includes('waits'),
  };
}

function decide(replay: ReplayFacts, noneRuns: boolean, nowMs: number): Action | 'waits' {
  const { id, attempt, message, ack } = replay;
  if (message === null) return { kind: 'drop_replay', reason: 'not_dead', messageId: id, attempt };
  if (message.attempt > attempt) return { kind: 'drop_replay', reason: 'newer_attempt', messageId: id, attempt };
  // An ack of our own runner names its attempt: for the next one it is void.
  if (ack === null || ack.attempt !== null) return replayed(message, attempt, nowMs, false);
  if (!noneRuns) return 'waits';
  // Gone before the message is pending again, or it would pass for a claim of the new attempt.
  if (ack.status === 'processing') return { kind: 'forget', reason: 'before_replay', claim: claimRef(ack) };
  return replayed(message, attempt, nowMs, true);
}

function replayed(message: MessageRow, requestedAttempt: number, nowMs: number, dropAck: boolean): Action {
  const set: MessageChange['set'] = {
    status: 'pending',
    // A file restored from a backup may know of fewer attempts than the request.
    attempt: Math.max(message.attempt, requestedAttempt) + 1,
    tries: 0,
    deferrals: 0,
    processAfterMs: nowMs,
    settledClaim: null,
    error: null,
    errorClass: null,
    finishedAtMs: null,
    purgedAtMs: null,
    // Its series went on without it.
    recurrence: null,
  };
  const change: MessageChange = {
    id: message.id,
    expect: { attempt: message.attempt, tries: message.tries, status: 'failed' },
    set,
  };
  return {
    kind: 'replay',
    reason: 'requested',
    by: 'operator',
    messageId: message.id,
    dueAtMs: nowMs,
    change,
    claim: null,
    dropAck,
  };
}
