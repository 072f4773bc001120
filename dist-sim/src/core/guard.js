import { isHostReason } from './reasons.js';
const FIRST_RESTART_MS = 1_000;
const MOST_SETTLED_FAILURES = 3;
const MOST_OOM_KILLS = 2;
export function freshGuard() {
    return {
        fruitless: 0,
        notBeforeMs: 0,
        heldSinceMs: null,
        holdReason: null,
        nextProbeAtMs: null,
        settledFailures: 0,
        oomKills: 0,
    };
}
/** What an operator's release leaves: nothing. */
export function releaseGuard() {
    return freshGuard();
}
/** Whether a container may be started now. A time further away than the guard ever sets is a clock set back: no wait. */
export function startPermission(guard, policy, nowMs) {
    if (guard.heldSinceMs !== null) {
        const untilMs = guard.nextProbeAtMs ?? guard.heldSinceMs + policy.guardProbeMs;
        if (isAhead(untilMs, nowMs, policy.guardProbeMs))
            return { kind: 'wait', reason: 'held', untilMs };
        return { kind: 'allowed', reason: 'probe' };
    }
    if (isAhead(guard.notBeforeMs, nowMs, restartDelayMs(guard.fruitless))) {
        return { kind: 'wait', reason: 'restart_backoff', untilMs: guard.notBeforeMs };
    }
    return { kind: 'allowed', reason: 'due' };
}
/** A probe pushes the next one a whole interval away, however it ends. */
export function guardAfterStart(guard, policy, nowMs) {
    return guard.heldSinceMs === null ? guard : { ...guard, nextProbeAtMs: nowMs + policy.guardProbeMs };
}
export function guardAfterEnd(guard, end, policy, nowMs) {
    if (end.hostCaused)
        return end.oomKilled ? guard : afterHealthyMemory(guard);
    const counted = end.oomKilled ? { ...guard, oomKills: guard.oomKills + 1 } : afterHealthyMemory(guard);
    const after = end.fruitless ? afterFruitless(counted, policy, nowMs) : guardAfterClaim(counted);
    return after.oomKills >= MOST_OOM_KILLS ? held(after, 'oom_kills', nowMs) : after;
}
/** A claim ends a row of fruitless starts, and the hold that it led to. */
export function guardAfterClaim(guard) {
    return lifted({ ...guard, fruitless: 0, notBeforeMs: 0 }, 'fruitless_starts');
}
/** Messages that one look saw end. Completed ones come first: acks are synced before claims are settled. */
export function guardAfterMessages(guard, ended, nowMs) {
    const before = ended.completed > 0 ? lifted({ ...guard, settledFailures: 0 }, 'settled_failures') : guard;
    const after = { ...before, settledFailures: before.settledFailures + ended.settledFailed };
    return after.settledFailures >= MOST_SETTLED_FAILURES ? held(after, 'settled_failures', nowMs) : after;
}
/** Whether an incarnation ended without claim, ack or answer, and not because the host or the engine ended it. */
export function isFruitless(incarnation) {
    if (incarnation.claimed || incarnation.sawAckOfIncarnation || incarnation.answered)
        return false;
    if (incarnation.engineRestarted === true)
        return false;
    return incarnation.stopReason === null || !isHostReason(incarnation.stopReason);
}
function isAhead(untilMs, nowMs, mostMs) {
    return untilMs > nowMs && untilMs - nowMs <= mostMs;
}
/** 1, 2, 4 s after the first, second, third fruitless start in a row. */
function restartDelayMs(fruitless) {
    return FIRST_RESTART_MS * 2 ** (fruitless - 1);
}
function afterFruitless(guard, policy, nowMs) {
    const fruitless = guard.fruitless + 1;
    const after = { ...guard, fruitless, notBeforeMs: nowMs + restartDelayMs(fruitless) };
    return fruitless > policy.guardMaxRestarts ? held(after, 'fruitless_starts', nowMs) : after;
}
/** An incarnation that was not killed for its memory ends the row of those that were, and the hold that it led to. */
function afterHealthyMemory(guard) {
    return lifted({ ...guard, oomKills: 0 }, 'oom_kills');
}
function held(guard, holdReason, nowMs) {
    if (guard.heldSinceMs !== null)
        return guard;
    return { ...guard, heldSinceMs: nowMs, holdReason, nextProbeAtMs: null };
}
function lifted(guard, reason) {
    if (guard.holdReason !== reason)
        return guard;
    return { ...guard, heldSinceMs: null, holdReason: null, nextProbeAtMs: null };
}
//# sourceMappingURL=guard.js.map