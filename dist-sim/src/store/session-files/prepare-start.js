import { lstatSync, unlinkSync } from 'node:fs';
import { isAckOfAttempt } from '../../protocol/rows.js';
import { HEARTBEAT_FILE } from '../../protocol/workspace.js';
import { readAcks } from './acks.js';
import { createSession } from './create.js';
import { hostile } from './finding.js';
import { writeInbound } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { lookAt, readInboundFacts } from './look.js';
import { writeOutboundFile } from './outbound.js';
/** Readies the files for a new incarnation, only with no container running, then looks. */
export function prepareStart(settings, paths, nowMs) {
    checkFolders(paths);
    createSession(settings, paths);
    // Opening both for writing rolls back what a killed writer left, and adds what an older file lacks.
    const { duplicates } = writeInbound(settings, paths, () => ({}));
    const rearmed = readInboundFacts(settings, paths, nowMs).unfinished.filter(({ attempt }) => attempt > 0);
    writeOutboundFile(settings, paths, (database, shape) => {
        if (rearmed.length > 0)
            removeVoidAcks(database, shape, rearmed);
    });
    removeHeartbeat(paths);
    return { ...lookAt(settings, paths, nowMs), duplicates };
}
/**
 * Ended acks of attempts that are over say nothing any more; but a runner that knows no attempts, started where another one
 * was before, would take them for its own and never claim their messages.
 */
function removeVoidAcks(database, shape, rearmed) {
    const { acks } = readAcks(database, shape, rearmed);
    const rowids = rearmed.flatMap((message) => {
        const ack = acks.get(message.id);
        const isVoid = ack !== undefined && ack.status !== 'processing' && !isAckOfAttempt(message, ack);
        return isVoid ? [ack.rowid] : [];
    });
    if (rowids.length === 0)
        return;
    const remove = database.prepare('DELETE FROM processing_ack WHERE rowid = ?');
    database
        .transaction(() => {
        for (const rowid of rowids)
            remove.run(rowid);
    })
        .immediate();
}
/** Removes whatever bears the name, a link itself and never what it leads to. */
function removeHeartbeat(paths) {
    const stats = lstatSync(paths.heartbeat, { throwIfNoEntry: false });
    if (stats === undefined)
        return;
    if (stats.isDirectory())
        throw hostile(HEARTBEAT_FILE, 'is a folder, not a file');
    unlinkSync(paths.heartbeat);
}
//# sourceMappingURL=prepare-start.js.map