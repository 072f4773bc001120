import { isAckOfAttempt } from '../../protocol/rows.js';
import { isAtOrAfter } from '../../protocol/times.js';
import { retryDelayMs } from '../backoff.js';
import { claimMark, claimRef, isMarkOfRow } from '../claims.js';
import { isHostReason } from '../reasons.js';
import { planRecurrence } from './recur.js';
/**
 * Resolves every claim that an incarnation left behind. Only when no container runs. Every change carries the mark of
 * its claim, so that a crash before the claim's row is deleted does not count it again.
 */
export function planSettle(facts, gone, policy, nowMs) {
    const claims = facts.acked.filter(({ ack }) => ack.status === 'processing');
    return [
        ...claims.map((claim) => settled(claim, gone, policy, nowMs)),
        ...facts.strayClaims.map((ack) => forgotten(claimRef(ack), 'no_such_message')),
        ...facts.marksToClear.map((messageId) => ({ kind: 'clear', reason: 'claim_row_gone', messageId })),
    ];
}
function settled(claim, gone, policy, nowMs) {
    const { message, ack } = claim;
    const ref = claimRef(ack);
    const mark = claimMark(gone.epoch, ack.attempt, ack.statusChanged);
    if (isCounted(claim, gone))
        return forgotten(ref, 'already_counted');
    if (!isAckOfAttempt(message, ack))
        return forgotten(ref, 'older_attempt');
    if (policy.foreignAnswered === 'complete' && ack.attempt === null && claim.answered) {
        const set = { status: 'completed', finishedAtMs: nowMs, error: null, errorClass: null };
        const change = changeOf(message, { ...set, settledClaim: mark });
        return { kind: 'complete', reason: 'answered', by: 'settle', messageId: message.id, change, claim: ref };
    }
    const stopReason = gone.lastEnd?.stopReason ?? null;
    if (stopReason !== null && isHostReason(stopReason))
        return returned(message, ref, mark, nowMs);
    const error = `the turn did not end: ${describeEnd(gone.lastEnd)}`;
    const spent = spendTry(message, error, policy, nowMs);
    const change = { ...spent.change, set: { ...spent.change.set, settledClaim: mark } };
    const base = { by: 'settle', messageId: message.id, change, claim: ref };
    if (spent.dueAtMs === null)
        return { ...base, kind: 'fail', reason: 'tries_spent' };
    return { ...base, kind: 'retry', reason: 'unfinished_turn', dueAtMs: spent.dueAtMs, dropAck: false };
}
/**
 * Whether the host was killed after it counted this claim and before it deleted the row. Where an incarnation started
 * since, only a row that is surely older: in the same second a foreign runner may have claimed the message anew.
 */
function isCounted({ message, ack }, { epoch, lastEnd }) {
    if (message.settledClaim === null)
        return false;
    if (message.settledClaim === claimMark(epoch, ack.attempt, ack.statusChanged))
        return true;
    const startedAtMs = lastEnd?.startedAtMs ?? null;
    if (startedAtMs === null || ack.statusChangedMs === undefined)
        return false;
    return isMarkOfRow(message.settledClaim, ack) && !isAtOrAfter(ack.statusChanged, startedAtMs);
}
/** The host ended the turn: the message goes back as if it had not been claimed. */
function returned(message, claim, mark, nowMs) {
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
function forgotten(claim, reason) {
    return { kind: 'forget', reason, claim };
}
/**
 * What becomes of the unfinished messages of a session whose corrupt file was replaced, claims and all: those that may
 * have been claimed are tried again with one try spent; what is not due yet, or paused, stays as it is.
 */
export function planReplaced(unfinished, policy, nowMs) {
    const due = unfinished.filter((row) => row.status === 'pending' && (row.processAfterMs ?? nowMs) <= nowMs);
    const actions = due.map((message) => {
        const { dueAtMs, change } = spendTry(message, 'its session lost a corrupt file', policy, nowMs);
        const base = { by: 'settle', messageId: message.id, change, claim: null };
        if (dueAtMs === null)
            return { ...base, kind: 'fail', reason: 'tries_spent' };
        return { ...base, kind: 'retry', reason: 'unfinished_turn', dueAtMs, dropAck: false };
    });
    // When their turns began went with the file.
    const turns = due.map((message) => ({ message, begunMs: nowMs }));
    return planRecurrence(actions, turns, policy, nowMs);
}
/** `dueAtMs` null: there is no try left. */
function spendTry(message, error, policy, nowMs) {
    if (message.tries >= policy.maxTries) {
        const set = { status: 'failed', finishedAtMs: nowMs, error, errorClass: 'tries_spent' };
        return { dueAtMs: null, change: changeOf(message, set) };
    }
    const dueAtMs = nowMs + retryDelayMs(message.tries, policy);
    const set = { tries: message.tries + 1, attempt: message.attempt + 1, processAfterMs: dueAtMs, error };
    return { dueAtMs, change: changeOf(message, set) };
}
function describeEnd(end) {
    const lastOutput = end?.lastOutput ?? '';
    return lastOutput === '' ? howItEnded(end) : `${howItEnded(end)}; last output: ${lastOutput}`;
}
function howItEnded(end) {
    if (end === null)
        return 'its container is gone';
    if (end.stopReason !== null)
        return `its container was stopped (${end.stopReason})`;
    if (end.oomKilled === true)
        return 'its container was killed out of memory';
    const exitCode = end.exitCode ?? null;
    return exitCode === null ? 'its container ended' : `its container ended with exit code ${exitCode}`;
}
function changeOf(message, set) {
    return { id: message.id, expect: { attempt: message.attempt, tries: message.tries }, set };
}
//# sourceMappingURL=settle.js.map