import { readAcksOf } from './acks.js';
import { readInbound } from './inbound.js';
import { readRows } from './messages.js';
import { readOutboundFile } from './outbound.js';
import { ackRowOf } from './summaries.js';
/** What the files say of the messages that are to be replayed. */
export function readReplays(settings, paths, requests, nowMs) {
    if (requests.length === 0)
        return [];
    const ids = requests.map(({ id }) => id);
    const rows = readInbound(settings, paths, (database, shape) => ids.flatMap((id) => readRows(database, shape, nowMs, "status = 'failed' AND id = ?", id))) ?? [];
    const messages = new Map(rows.map((row) => [row.id, row]));
    const acks = readOutboundFile(settings, paths, (database, shape) => readAcksOf(database, shape, ids));
    return requests.map(({ id, attempt }) => {
        const ack = acks?.get(id);
        return { id, attempt, message: messages.get(id) ?? null, ack: ack === undefined ? null : ackRowOf(ack) };
    });
}
//# sourceMappingURL=replays.js.map