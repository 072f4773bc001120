/** What to do with each container that the runtime lists, in the order of the list. */
export function planReconcile(containers, sessions, options) {
    const isUp = ({ state, install }) => install === options.install && (state === 'running' || state === 'paused');
    const up = containers.filter(isUp);
    return containers.map((container) => {
        if (container.install !== options.install)
            return { container, kind: 'keep', reason: 'foreign' };
        if (container.id === options.self)
            return { container, kind: 'keep', reason: 'self' };
        const known = container.session === undefined ? undefined : sessions.get(container.session);
        if (container.session === undefined || known === undefined) {
            return { container, kind: 'remove', reason: 'no_session' };
        }
        if (known.inFlight)
            return { container, kind: 'keep', reason: 'in_flight' };
        if (container.state === 'exited')
            return { container, kind: 'harvest', reason: 'exited' };
        if (container.state === 'created')
            return { container, kind: 'remove', reason: 'never_started' };
        const rivals = up.filter((other) => other.session === container.session);
        return decideRunning(container, known, rivals, options);
    });
}
/** Of several running containers of one session one stays: newest epoch, then the owned one, then by id. */
function decideRunning(container, known, rivals, { orphans, owned }) {
    const isOwned = owned.has(container.id);
    const newestEpoch = Math.max(known.epoch, ...rivals.map(({ epoch }) => epoch));
    if (container.epoch < newestEpoch)
        return { container, kind: 'remove', reason: 'older_epoch' };
    if (rivals.some((other) => other.epoch === newestEpoch && goesBefore(other, container, owned))) {
        return { container, kind: 'remove', reason: 'duplicate' };
    }
    if (!isOwned && known.status === 'closed')
        return { container, kind: 'remove', reason: 'closed_session' };
    if (!isOwned && orphans === 'remove')
        return { container, kind: 'remove', reason: 'orphans_remove' };
    if (known.specHash !== null && container.specHash !== known.specHash) {
        return { container, kind: 'replace_when_idle', reason: 'outdated', adopt: !isOwned };
    }
    return isOwned ? { container, kind: 'keep', reason: 'owned' } : { container, kind: 'adopt', reason: 'live_session' };
}
function goesBefore(a, b, owned) {
    return owned.has(a.id) === owned.has(b.id) ? a.id < b.id : owned.has(a.id);
}
//# sourceMappingURL=reconcile.js.map