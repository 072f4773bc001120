import { isAckOfAttempt } from '../../protocol/rows.js';
/** What is free to be claimed. A message without `process_after` is due as of its timestamp, the future being now. */
export function summarizeDue(unfinished, acks, nowMs) {
    let dueCount = 0;
    let oldestDueAtMs = null;
    let nextDueAtMs = null;
    for (const message of unfinished) {
        if (message.status !== 'pending' || !message.trigger)
            continue;
        const ack = acks.get(message.id);
        if (ack !== undefined && isAckOfAttempt(message, ack))
            continue;
        const atMs = message.processAfterMs ?? Math.min(message.timestampMs, nowMs);
        if (atMs <= nowMs) {
            dueCount += 1;
            oldestDueAtMs = Math.min(oldestDueAtMs ?? atMs, atMs);
        }
        else {
            nextDueAtMs = Math.min(nextDueAtMs ?? atMs, atMs);
        }
    }
    return { dueCount, oldestDueAtMs, nextDueAtMs };
}
function isDueSeries(message, acks, nowMs) {
    if (message.recurrence === null || message.status !== 'pending')
        return false;
    // Tried, deferred or given back by the host: its turn has come, and only waits to be had again.
    if (message.tries > 0 || message.attempt > 0)
        return false;
    const ack = acks.get(message.id);
    return !(ack !== undefined && isAckOfAttempt(message, ack)) && (message.processAfterMs ?? nowMs) <= nowMs;
}
export function countSeries(unfinished) {
    return unfinished.filter(({ recurrence }) => recurrence !== null).length;
}
/** How many messages are in which state; claimed ones are `processing`, not `pending`. */
export function countStates(finished, unfinished, acks) {
    const pending = unfinished.filter((message) => message.status === 'pending');
    const processing = pending.filter((message) => {
        const ack = acks.get(message.id);
        return ack?.status === 'processing' && isAckOfAttempt(message, ack);
    }).length;
    return {
        pending: pending.length - processing,
        processing,
        completed: finished.completed,
        failed: finished.failed,
        paused: unfinished.length - pending.length,
    };
}
/** Brings what both files and the heartbeat say together. */
export function factsOf(inbound, outbound, heartbeatMtimeMs, nowMs) {
    const { unfinished } = inbound;
    return {
        acked: unfinished.flatMap((message) => {
            const ack = outbound.acks.get(message.id);
            return ack === undefined ? [] : [{ message, ack: ackRowOf(ack), answered: outbound.answered.has(message.id) }];
        }),
        strayClaims: outbound.strayClaims.map(ackRowOf),
        marksToClear: unfinished
            .filter(({ id, settledClaim }) => settledClaim !== null && outbound.acks.get(id)?.status !== 'processing')
            .map((message) => message.id),
        dueSeries: unfinished.filter((message) => isDueSeries(message, outbound.acks, nowMs)),
        replays: [],
        liveSeries: countSeries(unfinished),
        due: summarizeDue(unfinished, outbound.acks, nowMs),
        counts: countStates(inbound.finished, unfinished, outbound.acks),
        heartbeatMtimeMs,
        containerState: outbound.containerState,
        answers: { count: outbound.answers.count, mark: outbound.answers.mark },
        newestAck: outbound.newestAck === null
            ? null
            : { statusChanged: outbound.newestAck.statusChanged, incarnation: outbound.newestAck.incarnation },
        lastActiveMs: newestOf([
            inbound.newestMs,
            outbound.newestAck?.statusChangedMs ?? null,
            outbound.answers.newestMs,
            heartbeatMtimeMs,
        ]),
    };
}
export function ackRowOf(stored) {
    const { messageId, status, statusChanged, statusChangedMs, attempt, incarnation, error, errorClass, retryAtMs } = stored;
    return { messageId, status, statusChanged, statusChangedMs, attempt, incarnation, error, errorClass, retryAtMs };
}
function newestOf(times) {
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(...known);
}
//# sourceMappingURL=summaries.js.map