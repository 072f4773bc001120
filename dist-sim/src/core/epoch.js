import { epochOf } from '../protocol/address.js';
/** A container may lie: what its acks claim counts only this far above what the host knows. */
const MOST_ABOVE = 1_000;
/** Number of a new incarnation: 1 + the highest known, so that a restored registry cannot go back. */
export function nextEpoch(known) {
    const trusted = Math.max(0, ...[known.registry, ...(known.labels ?? [])].filter(isUsable));
    const acked = (known.acks ?? []).filter((epoch) => epoch !== null).filter(isUsable);
    const highest = Math.max(trusted, ...acked.filter((epoch) => epoch <= trusted + MOST_ABOVE));
    return epochOf(highest + 1);
}
function isUsable(epoch) {
    return Number.isSafeInteger(epoch) && epoch >= 0 && epoch < Number.MAX_SAFE_INTEGER;
}
//# sourceMappingURL=epoch.js.map