import { guardAfterEnd, isFruitless } from '../core/guard.js';
import { isHostReason } from '../core/reasons.js';
import { isAtOrAfter } from '../protocol/times.js';
const UNKNOWN_END = { exitCode: null, signal: null, oomKilled: false, finishedAtMs: null, output: '' };
/** Collects what is left of an exited container; undefined while the runtime is down (a later look does it). */
export async function harvest(porter, container) {
    const answer = await porter.gate.callAboutOne((runtime) => runtime.harvest(container));
    return answer?.value;
}
/**
 * Records that the session's last incarnation is over, and what that says to the restart guard. `facts` undefined:
 * the files cannot be read; then only a claim that was seen before counts for it.
 */
export function recordEnd(porter, record, one, end, facts) {
    const open = porter.registry.findIncarnation(record.address, record.epoch);
    if (open === undefined || open.stoppedAtMs !== null)
        return;
    // Never confirmed and nothing found: the engine lost it, which is no fault of the session.
    const lostByEngine = open.startedAtMs === null && end === undefined;
    const fruitless = !lostByEngine && isFruitless(judgeable(open, facts));
    const known = end ?? UNKNOWN_END;
    const ended = {
        stoppedAtMs: stoppedAt(porter, open, known),
        exitCode: known.exitCode,
        signal: known.signal,
        oomKilled: known.oomKilled,
        output: known.output,
        turnsCompleted: one.turns,
        fruitless,
    };
    const hostCaused = lostByEngine || (open.stopReason !== null && isHostReason(open.stopReason));
    porter.registry.together(() => {
        porter.registry.endIncarnation(record.address, record.epoch, ended);
        porter.notices.settle('unstoppable', record.address);
        applyGuard(porter, record, { fruitless, oomKilled: known.oomKilled, hostCaused });
    });
    one.turns = 0;
    one.memory = undefined;
    porter.log.info({
        session: record.address,
        epoch: record.epoch,
        exitCode: known.exitCode,
        signal: known.signal,
        oomKilled: known.oomKilled,
        reason: open.stopReason ?? 'exited',
        fruitless,
    }, 'container ended');
}
/** As the runtime tells it, where that can be: between the start and now. */
function stoppedAt(porter, open, end) {
    const nowMs = porter.clock.now();
    return Math.min(nowMs, Math.max(open.startedAtMs ?? nowMs, end.finishedAtMs ?? nowMs));
}
/** Carries an end over to the guard; a session that becomes held is told of once. */
export function applyGuard(porter, record, end) {
    const before = porter.registry.guard(record.address);
    const after = guardAfterEnd(before, end, porter.policy(record), porter.clock.now());
    porter.registry.saveGuard(record.address, after);
    tellHeldOrNot(porter, record, before, after);
}
/** A session that becomes held is told of, one whose hold ends is not any more. */
export function tellHeldOrNot(porter, record, before, after) {
    if (before.heldSinceMs === null && after.heldSinceMs !== null)
        tellHeld(porter, record, after.holdReason);
    if (before.heldSinceMs !== null && after.heldSinceMs === null)
        porter.notices.settle('held', record.address);
}
function tellHeld(porter, record, reason) {
    const why = {
        fruitless_starts: 'its container ended before it claimed a message, again and again',
        settled_failures: 'three messages in a row ended as failed because their turns never ended',
        oom_kills: 'its container ran out of memory twice in a row',
    };
    porter.notices.raise('held', record.address, `session ${record.address} is held: ${why[reason ?? ''] ?? 'restart guard'}; its messages wait. Look at "nightporter logs ${record.address}", then "nightporter session release ${record.address}"`);
}
/** Whether the newest ack is of this incarnation. A short turn's is seen only when it has ended. */
export function hasAckOf({ newestAck: ack }, { epoch, startedAtMs }) {
    if (ack === null)
        return false;
    return ack.incarnation === null ? isAtOrAfter(ack.statusChanged, startedAtMs) : ack.incarnation === epoch;
}
function judgeable(open, facts) {
    const startedAtMs = open.startedAtMs ?? open.begunAtMs;
    return {
        claimed: open.claimed,
        sawAckOfIncarnation: facts !== undefined && hasAckOf(facts, { epoch: open.epoch, startedAtMs }),
        answered: facts !== undefined && facts.answers.mark > open.answersMark,
        stopReason: open.stopReason,
    };
}
//# sourceMappingURL=end-incarnation.js.map