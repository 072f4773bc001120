import { claimRef } from '../claims.js';
/** What becomes of the replays that operators asked for. */
export function planReplay({ replays }, noneRuns, nowMs) {
    const decided = replays.map((replay) => decide(replay, noneRuns, nowMs));
    return {
        actions: decided.filter((action) => action !== 'waits'),
        rearmWaits: decided.includes('waits'),
    };
}
function decide(replay, noneRuns, nowMs) {
    const { id, attempt, message, ack } = replay;
    if (message === null)
        return { kind: 'drop_replay', reason: 'not_dead', messageId: id, attempt };
    if (message.attempt > attempt)
        return { kind: 'drop_replay', reason: 'newer_attempt', messageId: id, attempt };
    // An ack of our own runner names its attempt: for the next one it is void.
    if (ack === null || ack.attempt !== null)
        return replayed(message, attempt, nowMs, false);
    if (!noneRuns)
        return 'waits';
    // Gone before the message is pending again, or it would pass for a claim of the new attempt.
    if (ack.status === 'processing')
        return { kind: 'forget', reason: 'before_replay', claim: claimRef(ack) };
    return replayed(message, attempt, nowMs, true);
}
function replayed(message, requestedAttempt, nowMs, dropAck) {
    const set = {
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
    const change = {
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
//# sourceMappingURL=replay.js.map