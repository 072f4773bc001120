import { epochOf } from '../protocol/address.js';
/** How attempts end by these actions, for the history of their messages. A first attempt that succeeds has none. */
export function turnEnds(porter, record, observation, actions) {
    const acked = observation.files.kind === 'read' ? observation.files.facts.acked : [];
    const incarnations = new Map(acked.map(({ message, ack }) => [message.id, ack.incarnation]));
    return actions
        .filter((action) => isEnding(action))
        .filter((action) => !isOrdinary(porter, record, action))
        .map(({ kind, reason, messageId, change: { expect, set } }) => ({
        id: messageId,
        attempt: expect.attempt,
        epoch: epochNamed(incarnations.get(messageId) ?? null, record.epoch),
        endedAtMs: porter.clock.now(),
        outcome: kind,
        reason,
        error: set.error ?? null,
        errorClass: set.errorClass ?? null,
    }));
}
/** Before the session's file says so: what a crash leaves in between is replaced by the next look. */
export async function recordTurnEnds(porter, record, ends) {
    if (ends.length === 0)
        return;
    await porter.turn();
    porter.registry.recordTurnEnds(record.address, ends);
}
function isEnding(action) {
    return ['complete', 'fail', 'retry', 'defer'].includes(action.kind);
}
/** The usual case costs no commit, unless a plan that was overtaken has left another end of this attempt behind. */
function isOrdinary({ registry }, { address }, { kind, messageId, change }) {
    const isFirst = change.expect.attempt === 0 && change.expect.tries === 0;
    return kind === 'complete' && isFirst && registry.turnEnds(address, messageId).length === 0;
}
/** A container may lie about its number. */
function epochNamed(incarnation, known) {
    return incarnation !== null && incarnation > 0 && incarnation < known ? epochOf(incarnation) : known;
}
//# sourceMappingURL=turn-ends.js.map