import { isAckOfAttempt } from '../protocol/rows.js';
import { isAtOrAfter } from '../protocol/times.js';
export function isClaim({ message, ack }) {
    return ack.status === 'processing' && isAckOfAttempt(message, ack);
}
/** The row exactly as it was seen, so that nothing newer is deleted in its place. */
export function claimRef(ack) {
    return { messageId: ack.messageId, statusChanged: ack.statusChanged, attempt: ack.attempt };
}
/** What names a claim within its incarnation; a runner that refreshes the row's time keeps its claim's age. */
export function claimKey({ message, ack }) {
    return `${message.id} ${ack.attempt ?? message.attempt}`;
}
/**
 * `settled_claim` of a claim that is counted. `attempt` is the claim's own, null where the runner knows none: the
 * message's would not do, counting raises it.
 */
export function claimMark(epoch, attempt, statusChanged) {
    return `${epoch}:${attempt ?? '-'}:${statusChanged}`;
}
/** Whether a mark is of this claim in whatever incarnation. */
export function isMarkOfRow(mark, ack) {
    return mark.slice(mark.indexOf(':')) === claimMark(0, ack.attempt, ack.statusChanged).slice(1);
}
/** The claims that a running incarnation holds; what older ones left behind says nothing about it. */
export function heldClaims(facts, running) {
    return facts.acked.filter((acked) => isClaim(acked) && isOfIncarnation(acked.ack, running));
}
function isOfIncarnation(ack, running) {
    if (ack.incarnation !== null)
        return ack.incarnation >= running.epoch;
    return ack.statusChangedMs === undefined || isAtOrAfter(ack.statusChanged, running.startedAtMs);
}
//# sourceMappingURL=claims.js.map