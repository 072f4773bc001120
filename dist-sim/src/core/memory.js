import { isAckOfAttempt } from '../protocol/rows.js';
import { claimKey, heldClaims } from './claims.js';
/** Adds a look to what is remembered; a new incarnation starts with an empty memory. */
export function noteLook(previous, facts, running, nowMs, monotonicMs) {
    const known = previous?.epoch === running.epoch ? previous : undefined;
    const now = { nowMs, monotonicMs };
    const start = sight(known?.start, running.startedAtMs, now);
    const startedAtMs = Math.min(running.startedAtMs, start.seenAtMs);
    const state = stateOf(facts, { epoch: running.epoch, startedAtMs });
    const held = heldClaims(facts, { epoch: running.epoch, startedAtMs });
    const turnsEnded = countEnded(facts);
    const sinceMs = (is, beforeMs) => {
        if (!is)
            return null;
        return known?.turnsEnded === turnsEnded ? (beforeMs ?? monotonicMs) : monotonicMs;
    };
    const isFree = held.length === 0;
    return {
        epoch: running.epoch,
        start,
        heartbeat: sight(known?.heartbeat, facts.heartbeatMtimeMs, now),
        progress: sight(known?.progress, state?.progressAtMs ?? null, now),
        toolStart: sight(known?.toolStart, toolStartMs(state), now),
        heartbeatIntervalMs: declaredIntervalMs(state),
        claims: new Map(held.map((claim) => [claimKey(claim), firstSeen(known?.claims.get(claimKey(claim)), now)])),
        begun: new Map(facts.acked
            .filter(({ message, ack }) => isAckOfAttempt(message, ack))
            .map((acked) => [claimKey(acked), firstSeen(known?.begun.get(claimKey(acked)), now)])),
        turnsEnded,
        idleSinceMonotonicMs: sinceMs(isFree && facts.due.dueCount === 0, known?.idleSinceMonotonicMs),
        unclaimedSinceMonotonicMs: sinceMs(isFree && facts.due.dueCount > 0, known?.unclaimedSinceMonotonicMs),
    };
}
/** When a watched value was, a future one as of its first sighting; null: there is none. */
export function instantOf(sighting) {
    return sighting.valueMs === null ? null : Math.min(sighting.valueMs, sighting.seenAtMs);
}
/** Monotonic time for which the host saw no change of a value. */
export function unchangedForMs(sighting, monotonicMs) {
    return monotonicMs - sighting.changedAtMonotonicMs;
}
/** When the incarnation started, never in the future. */
export function startOf(memory) {
    return Math.min(memory.start.valueMs, memory.start.seenAtMs);
}
/** Wall age of the last heartbeat; without one of its own, since the start. Never negative. */
export function livenessAgeMs(memory, nowMs) {
    const startedAtMs = startOf(memory);
    return Math.max(0, nowMs - Math.max(startedAtMs, instantOf(memory.heartbeat) ?? startedAtMs));
}
/** `container_state` where it is this incarnation's; null: there is none, or an older one wrote it. */
export function stateOf(facts, running) {
    const state = facts.containerState;
    if (state === null)
        return null;
    if (state.incarnation !== null)
        return state.incarnation === running.epoch ? state : null;
    // Its texts may be second-granular, the start is not.
    const fromMs = Math.floor(running.startedAtMs / 1_000) * 1_000;
    return state.updatedAtMs === null || state.updatedAtMs >= fromMs ? state : null;
}
function sight(known, valueMs, { nowMs, monotonicMs }) {
    if (known?.valueMs !== valueMs)
        return { valueMs, seenAtMs: nowMs, changedAtMonotonicMs: monotonicMs };
    // A clock that was set back must not leave a sighting in the future: it would exempt until then.
    return { ...known, seenAtMs: Math.min(known.seenAtMs, nowMs) };
}
function firstSeen(known, { nowMs, monotonicMs }) {
    if (known === undefined)
        return { atMs: nowMs, atMonotonicMs: monotonicMs };
    return { ...known, atMs: Math.min(known.atMs, nowMs) };
}
function toolStartMs(state) {
    if (state === null || state.currentTool === null)
        return null;
    return state.toolStartedAtMs ?? state.updatedAtMs;
}
function declaredIntervalMs(state) {
    const intervalMs = state?.heartbeatIntervalMs ?? null;
    return intervalMs !== null && intervalMs > 0 ? intervalMs : null;
}
/** Each costs the container a message, a try or a deferral: nothing that it could go on inventing. */
function countEnded(facts) {
    const unsynced = facts.acked.filter(({ ack }) => ack.status !== 'processing').length;
    return facts.counts.completed + facts.counts.failed + unsynced;
}
//# sourceMappingURL=memory.js.map