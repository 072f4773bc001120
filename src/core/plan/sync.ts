import { isAckOfAttempt } from '../../protocol/rows.js';
import type { AckRow, MessageChange, MessageRow } from '../../protocol/rows.js';
import type { Action } from '../action.js';
import { RATE_LIMIT_MOST_MS, rateLimitDelayMs, retryDelayMs } from '../backoff.js';
import type { AckedMessage, FilesFacts } from '../facts.js';
import type { Policy } from '../policy.js';

const MOST_DEFERRALS = 20;
const MOST_DEFERRED_MS = 7 * 24 * 3_600_000;

export interface SyncPlan {
  readonly actions: readonly Action[];
  /** A foreign runner's ack wants its message re-armed, which needs its container gone. */
  readonly rearmWaits: boolean;
}

/** Takes over what containers said of their messages: `completed` and `failed` acks of the present attempt. */
export function planSync(facts: FilesFacts, noneRuns: boolean, policy: Policy, nowMs: number): SyncPlan {
  const ended = facts.acked.filter(({ message, ack }) => ack.status !== 'processing' && isAckOfAttempt(message, ack));
  const decided = ended.map((acked) => ({ acked, action: actionOf(acked, policy, nowMs) }));
  const waits = decided.filter(({ acked, action }) => !noneRuns && acked.ack.attempt === null && rearms(action));
  const waiting = new Set(waits.map(({ action }) => action));
  const actions = decided.map(({ action }) => action).filter((action) => !waiting.has(action));
  return {
    actions: [...actions, ...restOf(ended)],
    rearmWaits: waits.length > 0,
  };
}

/** L19: nothing waits for a provider that has ended the session. Last, so that what was answered counts as answered. */
function restOf(ended: readonly AckedMessage[]): readonly Action[] {
  const terminated = ended.find(({ ack }) => ack.status === 'failed' && ack.errorClass === 'terminated');
  if (terminated === undefined) return [];
  return [{ kind: 'fail_rest', reason: 'terminated', error: errorOf(terminated.ack) }];
}

function rearms(action: Action): boolean {
  return action.kind === 'retry' || action.kind === 'defer';
}

function actionOf({ message, ack }: AckedMessage, policy: Policy, nowMs: number): Action {
  if (ack.status === 'completed') {
    const set = { status: 'completed', finishedAtMs: nowMs, error: null, errorClass: null } as const;
    return {
      kind: 'complete',
      reason: 'acked',
      by: 'ack',
      messageId: message.id,
      change: changeOf(message, set),
      claim: null,
    };
  }
  switch (ack.errorClass) {
    case 'retryable':
      return message.tries >= policy.maxTries
        ? failed(message, ack, 'tries_spent', nowMs)
        : retried(message, ack, policy, nowMs);
    case 'rate_limited':
      return areDeferralsSpent(message, nowMs)
        ? failed(message, ack, 'deferrals_spent', nowMs)
        : deferred(message, ack, nowMs);
    case 'fatal':
    case 'context_overflow':
    case 'resume_invalid':
    case 'terminated':
      return failed(message, ack, ack.errorClass, nowMs);
    case null:
      return failed(message, ack, 'unclassed', nowMs);
  }
}

function areDeferralsSpent(message: MessageRow, nowMs: number): boolean {
  if (message.deferrals >= MOST_DEFERRALS) return true;
  // One lasts a day at most: fewer cannot have taken the time, however long ago a message for later was put in.
  const mayHaveTaken = message.deferrals >= MOST_DEFERRED_MS / RATE_LIMIT_MOST_MS;
  // An occurrence that stands for missed ones is younger than its row.
  const sinceMs = Math.max(message.timestampMs, message.occurrenceMs ?? message.timestampMs);
  return mayHaveTaken && nowMs - sinceMs > MOST_DEFERRED_MS;
}

type FailReason = Extract<Action, { readonly kind: 'fail' }>['reason'];

function failed(message: MessageRow, ack: AckRow, reason: FailReason, nowMs: number): Action {
  const set = {
    status: 'failed',
    finishedAtMs: nowMs,
    error: errorOf(ack),
    errorClass: reason === 'unclassed' ? null : reason,
  } as const;
  return { kind: 'fail', reason, by: 'ack', messageId: message.id, change: changeOf(message, set), claim: null };
}

function errorOf(ack: AckRow): string {
  return ack.error ?? 'the runner gave no details';
}

function retried(message: MessageRow, ack: AckRow, policy: Policy, nowMs: number): Action {
  const dueAtMs = nowMs + retryDelayMs(message.tries, policy);
  return {
    kind: 'retry',
    reason: 'acked_retryable',
    by: 'ack',
    messageId: message.id,
    dueAtMs,
    change: changeOf(message, { ...rearmed(message, ack, dueAtMs), tries: message.tries + 1 }),
    claim: null,
    dropAck: ack.attempt === null,
  };
}

function deferred(message: MessageRow, ack: AckRow, nowMs: number): Action {
  const dueAtMs = nowMs + rateLimitDelayMs(message.deferrals, ack.retryAtMs, nowMs);
  return {
    kind: 'defer',
    reason: 'rate_limited',
    by: 'ack',
    messageId: message.id,
    dueAtMs,
    change: changeOf(message, { ...rearmed(message, ack, dueAtMs), deferrals: message.deferrals + 1 }),
    claim: null,
    dropAck: ack.attempt === null,
  };
}

function rearmed(message: MessageRow, ack: AckRow, dueAtMs: number): MessageChange['set'] {
  return { attempt: message.attempt + 1, processAfterMs: dueAtMs, error: ack.error, errorClass: ack.errorClass };
}

function changeOf(message: MessageRow, set: MessageChange['set']): MessageChange {
  return { id: message.id, expect: { attempt: message.attempt, tries: message.tries }, set };
}
