import { heldClaims } from '../claims.js';
import { startOf } from '../memory.js';
/** Stops that the host wants for its own reasons: only between turns, a running one is waited for. */
export function planHostStop(observation, running, facts, memory, rearmWaits) {
    const reason = findReason(observation, running, rearmWaits);
    if (reason === undefined)
        return [];
    const held = heldClaims(facts, { epoch: running.epoch, startedAtMs: startOf(memory) });
    if (held.length === 0)
        return [{ kind: 'stop', reason, detail: 'it holds no claim' }];
    return [{ kind: 'wait', reason: 'turn_running', untilMs: null, detail: `${reason}: ${held.length} claims held` }];
}
function findReason({ status, draining }, running, rearmWaits) {
    if (status !== 'active')
        return status;
    if (draining)
        return 'drained';
    if (running.outdated)
        return 'replaced';
    return rearmWaits ? 'recycled' : undefined;
}
//# sourceMappingURL=host-stop.js.map