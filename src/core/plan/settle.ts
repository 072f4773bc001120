import { isAckOfAttempt } from '../../protocol/rows.js';
import type { MessageChange, MessageRow } from '../../protocol/rows.js';
import { isAtOrAfter } from '../../protocol/times.js';
import type { Action, ClaimRef } from '../action.js';
import { retryDelayMs } from '../backoff.js';
import { claimMark, claimRef, isMarkOfRow } from '../claims.js';
import type { AckedMessage, FilesFacts } from '../facts.js';
import type { LastEnd } from '../observation.js';
import type { Policy } from '../policy.js';
import { isHostReason } from '../reasons.js';
import { planRecurrence } from './recur.js';

/** The incarnation that is gone; `lastEnd` null: how it ended is not known. */
export interface Gone {
  readonly epoch: number;
  readonly lastEnd: LastEnd | null;
  /** See `SessionObservation`. */
  readonly leftBehind: boolean;
}

/**
 * Resolves every claim that an incarnation left behind. Only when no container runs. Every change carries the mark of
 * its claim, so that a crash before the claim's row is deleted does not count it again.
 */
export function planSettle(facts: FilesFacts, gone: Gone, policy: Policy, nowMs: number): readonly Action[] {
  const claims = facts.acked.filter(({ ack }) => ack.status === 'processing');
  return [
    ...claims.map((claim) => settled(claim, facts, gone, policy, nowMs)),
    ...facts.strayClaims.map((ack) => forgotten(claimRef(ack), 'no_such_message')),
    ...facts.marksToClear.map((messageId): Action => ({ kind: 'clear', reason: 'claim_row_gone', messageId })),
  ];
}

function settled(claim: AckedMessage, facts: FilesFacts, gone: Gone, policy: Policy, nowMs: number): Action {
  const { message, ack } = claim;
  const ref = claimRef(ack);
  const mark = claimMark(gone.epoch, ack.attempt, ack.statusChanged);
  if (isCounted(claim, gone)) return forgotten(ref, 'already_counted');
  if (!isAckOfAttempt(message, ack)) return forgotten(ref, 'older_attempt');
  if (policy.foreignAnswered === 'complete' && ack.attempt === null && claim.answered) {
    const set = { status: 'completed', finishedAtMs: nowMs, error: null, errorClass: null } as const;
    const change = changeOf(message, { ...set, settledClaim: mark });
    return { kind: 'complete', reason: 'answered', by: 'settle', messageId: message.id, change, claim: ref };
  }
  if (gone.leftBehind && isStaleActive(claim, facts, policy, nowMs)) {
    const error = `its turn was cut off by an outage, and nothing was heard of it for over ${hours(policy.staleActiveMs)} h`;
    const set = { status: 'failed', finishedAtMs: nowMs, error, errorClass: 'stale_active' } as const;
    const change = changeOf(message, { ...set, settledClaim: mark });
    return { kind: 'fail', reason: 'stale_active', by: 'settle', messageId: message.id, change, claim: ref };
  }
  if (isHostReason(gone.lastEnd?.stopReason ?? null)) return returned(message, ref, mark, nowMs);
  const error = `the turn did not end: ${describeEnd(gone.lastEnd)}`;
  const spent = spendTry(message, error, policy, nowMs);
  const change = { ...spent.change, set: { ...spent.change.set, settledClaim: mark } };
  const base = { by: 'settle', messageId: message.id, change, claim: ref } as const;
  if (spent.dueAtMs === null) return { ...base, kind: 'fail', reason: 'tries_spent' };
  return { ...base, kind: 'retry', reason: 'unfinished_turn', dueAtMs: spent.dueAtMs, dropAck: false };
}

/**
 * Whether the host was killed after it counted this claim and before it deleted the row. Where an incarnation started
 * since, only a row that is surely older: in the same second a foreign runner may have claimed the message anew.
 */
function isCounted({ message, ack }: AckedMessage, { epoch, lastEnd }: Gone): boolean {
  if (message.settledClaim === null) return false;
  if (message.settledClaim === claimMark(epoch, ack.attempt, ack.statusChanged)) return true;
  if (ack.statusChangedMs === undefined) return false;
  // Where its start is not known no row is surely older.
  const startedAtMs = lastEnd?.startedAtMs ?? -Infinity;
  return isMarkOfRow(message.settledClaim, ack) && !isAtOrAfter(ack.statusChanged, startedAtMs);
}

/**
 * Whether a turn that an outage cut off is so old that nobody waits for its answer any more (L19a). Counts from its last sign
 * of life; where there is none that can be read, it is not.
 */
function isStaleActive({ ack }: AckedMessage, facts: FilesFacts, policy: Policy, nowMs: number): boolean {
  if (policy.staleActive !== 'fail') return false;
  const activityMs = Math.max(
    ack.statusChangedMs ?? 0,
    facts.heartbeatMtimeMs ?? 0,
    facts.containerState?.updatedAtMs ?? 0,
  );
  return activityMs > 0 && nowMs - activityMs > policy.staleActiveMs;
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(1).replace(/\.0$/, '');
}

/** The host ended the turn: the message goes back as if it had not been claimed. */
function returned(message: MessageRow, claim: ClaimRef, mark: string, nowMs: number): Action {
  const set = { attempt: message.attempt + 1, processAfterMs: nowMs, settledClaim: mark };
  return {
    kind: 'retry',
    reason: 'host_ended_turn',
    by: 'settle',
    messageId: message.id,
    dueAtMs: nowMs,
    change: changeOf(message, set),
    claim,
    dropAck: false,
  };
}

function forgotten(claim: ClaimRef, reason: 'already_counted' | 'older_attempt' | 'no_such_message'): Action {
  return { kind: 'forget', reason, claim };
}

/**
 * What becomes of the unfinished messages of a session whose corrupt file was replaced, claims and all: those that may
 * have been claimed are tried again with one try spent; what is not due yet, or paused, stays as it is.
 */
export function planReplaced(unfinished: readonly MessageRow[], policy: Policy, nowMs: number): readonly Action[] {
  const due = unfinished.filter((row) => row.status === 'pending' && (row.processAfterMs ?? nowMs) <= nowMs);
  const actions = due.map((message): Action => {
    const { dueAtMs, change } = spendTry(message, 'its session lost a corrupt file', policy, nowMs);
    const base = { by: 'settle', messageId: message.id, change, claim: null } as const;
    if (dueAtMs === null) return { ...base, kind: 'fail', reason: 'tries_spent' };
    return { ...base, kind: 'retry', reason: 'unfinished_turn', dueAtMs, dropAck: false };
  });
  // When their turns began went with the file.
  const turns = due.map((message) => ({ message, begunMs: nowMs }));
  return planRecurrence(actions, turns, policy, nowMs);
}

/** `dueAtMs` null: there is no try left. */
function spendTry(
  message: MessageRow,
  error: string,
  policy: Policy,
  nowMs: number,
): { readonly dueAtMs: number | null; readonly change: MessageChange } {
  if (message.tries >= policy.maxTries) {
    const set = { status: 'failed', finishedAtMs: nowMs, error, errorClass: 'tries_spent' } as const;
    return { dueAtMs: null, change: changeOf(message, set) };
  }
  const dueAtMs = nowMs + retryDelayMs(message.tries, policy);
  const set = { tries: message.tries + 1, attempt: message.attempt + 1, processAfterMs: dueAtMs, error };
  return { dueAtMs, change: changeOf(message, set) };
}

function describeEnd(end: LastEnd | null): string {
  const lastOutput = end?.lastOutput ?? '';
  return lastOutput === '' ? howItEnded(end) : `${howItEnded(end)}; last output: ${lastOutput}`;
}

function howItEnded(end: LastEnd | null): string {
  if (end === null) return 'its container is gone';
  if (end.stopReason !== null) return `its container was stopped (${end.stopReason})`;
  if (end.oomKilled === true) return 'its container was killed out of memory';
  const exitCode = end.exitCode ?? null;
  return exitCode === null ? 'its container ended' : `its container ended with exit code ${exitCode}`;
}

function changeOf(message: MessageRow, set: MessageChange['set']): MessageChange {
  return { id: message.id, expect: { attempt: message.attempt, tries: message.tries }, set };
}
