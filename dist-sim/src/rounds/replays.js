/** Requests are over once the file has their messages pending again; a crash in between leaves that to the next look. */
export function dropReplays(porter, record, actions) {
    const done = new Map(actions
        .filter((action) => action.kind === 'replay')
        .map(({ messageId, change }) => [messageId, change.set.attempt ?? 0]));
    if (done.size === 0)
        return;
    const requests = porter.registry.replays(record.address);
    porter.registry.dropReplays(record.address, requests.filter(({ id, attempt }) => attempt < (done.get(id) ?? 0)));
}
/** What had to go before a replay is gone: it follows at once. */
export function replaysWaitNoMore(actions) {
    return actions.some((action) => action.kind === 'forget' && action.reason === 'before_replay');
}
/** As of when the session is due for replays that could not be done yet; null: there are none. */
export function replaysDueAtMs(porter, record) {
    const times = porter.registry.replays(record.address).map(({ requestedAtMs }) => requestedAtMs);
    return times.length === 0 ? null : Math.min(...times);
}
//# sourceMappingURL=replays.js.map