import { splitAddress } from '../../protocol/address.js';
/**
 * Who gets the free places, and who has to give up its own. Each place goes to the group with the fewest places among
 * those that wait, a tie to the one whose message is due longest; within a group, oldest due first. Where sessions wait
 * without a place, idle containers yield, longest idle first, only as many as are needed.
 */
export function planRoom({ waiting, running, occupied, idle, limit }) {
    const places = new Map();
    const placesOf = (group) => places.get(group) ?? 0;
    for (const session of running) {
        const { group } = splitAddress(session);
        places.set(group, placesOf(group) + 1);
    }
    const queue = [...waiting].sort((a, b) => a.dueSinceMs - b.dueSinceMs || compareText(a.session, b.session));
    const free = limit - occupied;
    const start = [];
    while (start.length < free) {
        const next = queue.reduce((best, one) => (best === undefined || placesOf(one.group) < placesOf(best.group) ? one : best), undefined);
        if (next === undefined)
            break;
        queue.splice(queue.indexOf(next), 1);
        places.set(next.group, placesOf(next.group) + 1);
        start.push(next.session);
    }
    const longestIdle = [...idle].sort((a, b) => b.idleForMs - a.idleForMs || compareText(a.session, b.session));
    // Over the limit (it was lowered) more than one place has to be given up for a start.
    const needed = queue.length === 0 ? 0 : queue.length + Math.max(0, -free);
    return { start, yield: longestIdle.slice(0, needed).map(({ session }) => session) };
}
function compareText(a, b) {
    return a < b ? -1 : 1;
}
//# sourceMappingURL=room.js.map