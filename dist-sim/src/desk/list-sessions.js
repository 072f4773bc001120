import { formatInstant } from '../protocol/times.js';
/** In address order; closed ones only if asked for. Others have their turn between pages. */
export async function* listSessions(desk, options) {
    for (const page of desk.registry.summaryPages()) {
        for (const { session, status, pinned, held, quarantined, lastActiveMs } of page) {
            if (status === 'closed' && !options.closed)
                continue;
            yield { row: { session, status, pinned, held, quarantined, lastActive: instantOrNull(lastActiveMs) } };
        }
        await new Promise(setImmediate);
    }
}
export function summaryOf(record) {
    return {
        session: record.address,
        status: record.status,
        pinned: record.pinned,
        held: record.heldSinceMs !== null,
        quarantined: record.quarantine !== null,
        lastActive: instantOrNull(record.lastActiveMs),
    };
}
export function instantOrNull(epochMs) {
    return epochMs === null ? null : formatInstant(epochMs);
}
//# sourceMappingURL=list-sessions.js.map