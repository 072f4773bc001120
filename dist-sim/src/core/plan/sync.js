import { isAckOfAttempt } from '../../protocol/rows.js';
import { RATE_LIMIT_MOST_MS, rateLimitDelayMs, retryDelayMs } from '../backoff.js';
const MOST_DEFERRALS = 20;
const MOST_DEFERRED_MS = 7 * 24 * 3_600_000;
/** Takes over what containers said of their messages: `completed` and `failed` acks of the present attempt. */
export function planSync(facts, noneRuns, policy, nowMs) {
    const ended = facts.acked.filter(({ message, ack }) => ack.status !== 'processing' && isAckOfAttempt(message, ack));
    const decided = ended.map((acked) => ({ acked, action: actionOf(acked, policy, nowMs) }));
    const waits = decided.filter(({ acked, action }) => !noneRuns && acked.ack.attempt === null && rearms(action));
    const waiting = new Set(waits.map(({ action }) => action));
    return {
        actions: decided.map(({ action }) => action).filter((action) => !waiting.has(action)),
        rearmWaits: waits.length > 0,
    };
}
function rearms(action) {
    return action.kind === 'retry' || action.kind === 'defer';
}
function actionOf({ message, ack }, policy, nowMs) {
    if (ack.status === 'completed') {
        const set = { status: 'completed', finishedAtMs: nowMs, error: null, errorClass: null };
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
            return failed(message, ack, ack.errorClass, nowMs);
        case null:
            return failed(message, ack, 'unclassed', nowMs);
    }
}
function areDeferralsSpent(message, nowMs) {
    if (message.deferrals >= MOST_DEFERRALS)
        return true;
    // One lasts a day at most: fewer cannot have taken the time, however long ago a message for later was put in.
    const mayHaveTaken = message.deferrals >= MOST_DEFERRED_MS / RATE_LIMIT_MOST_MS;
    // An occurrence that stands for missed ones is younger than its row.
    const sinceMs = Math.max(message.timestampMs, message.occurrenceMs ?? message.timestampMs);
    return mayHaveTaken && nowMs - sinceMs > MOST_DEFERRED_MS;
}
function failed(message, ack, reason, nowMs) {
    const set = {
        status: 'failed',
        finishedAtMs: nowMs,
        error: ack.error ?? 'the runner gave no details',
        errorClass: reason === 'unclassed' ? null : reason,
    };
    return { kind: 'fail', reason, by: 'ack', messageId: message.id, change: changeOf(message, set), claim: null };
}
function retried(message, ack, policy, nowMs) {
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
function deferred(message, ack, nowMs) {
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
function rearmed(message, ack, dueAtMs) {
    return { attempt: message.attempt + 1, processAfterMs: dueAtMs, error: ack.error, errorClass: ack.errorClass };
}
function changeOf(message, set) {
    return { id: message.id, expect: { attempt: message.attempt, tries: message.tries }, set };
}
//# sourceMappingURL=sync.js.map