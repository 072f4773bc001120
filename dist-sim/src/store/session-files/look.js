import { lstatSync } from 'node:fs';
import { NO_OUTBOUND, readOutbound } from './acks.js';
import { findSignature } from './file-signature.js';
import { missing } from './finding.js';
import { isHotJournal, readInbound } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { readTotals, readUnfinished } from './messages.js';
import { readOutboundFile, writeOutboundFile } from './outbound.js';
import { readReplays } from './replays.js';
import { factsOf } from './summaries.js';
export const NO_INBOUND = { unfinished: [], finished: { completed: 0, failed: 0 }, newestMs: null };
/** Looks when no container runs: what a killed one left half written is rolled back first. */
export function lookAtRest(settings, paths, nowMs, replays = []) {
    try {
        return lookAt(settings, paths, nowMs, replays);
    }
    catch (error) {
        if (!isHotJournal(error))
            throw error;
        writeOutboundFile(settings, paths, () => undefined);
        return lookAt(settings, paths, nowMs, replays);
    }
}
/** Reads both files and the heartbeat; writes nothing to either. */
export function lookAt(settings, paths, nowMs, replays = []) {
    checkFolders(paths);
    const signature = findSignature(paths);
    if (signature === null)
        throw missing();
    const inbound = readInboundFacts(settings, paths, nowMs);
    const outbound = readOutboundFile(settings, paths, (database, shape) => readOutbound(database, shape, inbound.unfinished)) ??
        NO_OUTBOUND;
    const facts = factsOf(inbound, outbound, findHeartbeatMs(paths), nowMs);
    return { ...facts, replays: readReplays(settings, paths, replays, nowMs), signature };
}
export function readInboundFacts(settings, paths, nowMs) {
    const facts = readInbound(settings, paths, (database, shape) => ({
        unfinished: readUnfinished(database, shape, nowMs),
        ...readTotals(database, shape),
    }));
    return facts ?? NO_INBOUND;
}
function findHeartbeatMs(paths) {
    const stats = lstatSync(paths.heartbeat, { throwIfNoEntry: false });
    return stats?.isFile() === true ? Math.floor(stats.mtimeMs) : null;
}
//# sourceMappingURL=look.js.map