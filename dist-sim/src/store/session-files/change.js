import { NO_OUTBOUND, readAcks } from './acks.js';
import { writeInbound } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import { applyChanges, readTotals, readUnfinished, StaleChange } from './messages.js';
import { readOutboundFile } from './outbound.js';
import { countSeries, countStates, summarizeDue } from './summaries.js';
/** Writes changes to inbound.db, all or none. Acks are read first, so that a busy outbound.db changes nothing. */
export function changeMessages(settings, paths, changes, nowMs) {
    checkFolders(paths);
    if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database')
        return { written: false };
    const { unfinished } = readInboundFacts(settings, paths, nowMs);
    const { acks } = readOutboundFile(settings, paths, (database, shape) => readAcks(database, shape, unfinished)) ?? NO_OUTBOUND;
    return writeChanges(settings, paths, changes, acks, nowMs);
}
/** One transaction on inbound.db; the summary is of what it leaves, with the acks given. */
export function writeChanges(settings, paths, changes, acks, nowMs) {
    try {
        return writeInbound(settings, paths, (database, shape) => {
            if (changes.length > 0)
                database.transaction(applyChanges).immediate(database, changes);
            return summaryOf(database, shape, acks, nowMs);
        });
    }
    catch (error) {
        if (error instanceof StaleChange)
            return { written: false };
        throw error;
    }
}
function summaryOf(database, shape, acks, nowMs) {
    const unfinished = readUnfinished(database, shape, nowMs);
    return {
        written: true,
        due: summarizeDue(unfinished, acks, nowMs),
        liveSeries: countSeries(unfinished),
        counts: countStates(readTotals(database, shape).finished, unfinished, acks),
    };
}
//# sourceMappingURL=change.js.map