import { makeEmptyFile, makeFolders, syncFolders } from './folders.js';
import { writeInbound } from './inbound.js';
import { inspectDatabase } from './inspect-file.js';
import { writeOutboundFile } from './outbound.js';
const nothing = () => ({});
/** Makes what is missing of a session: folders, link, both databases. Whole files are left alone, empty ones filled. */
export function createSession(settings, paths) {
    makeFolders(paths, settings.outOwner);
    const inbound = inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER);
    const outbound = inspectDatabase(paths.outbound, settings.outboundMaxBytes);
    if (inbound.kind === 'database' && outbound.kind === 'database')
        return;
    if (inbound.kind === 'absent')
        makeEmptyFile(paths.inbound, undefined);
    if (outbound.kind === 'absent')
        makeEmptyFile(paths.outbound, settings.outOwner);
    // Before the tables: what has tables has durable names, so that a crash in between is made good by the next call.
    syncFolders(settings.dataDir, paths);
    if (inbound.kind !== 'database')
        writeInbound(settings, paths, nothing);
    if (outbound.kind !== 'database')
        writeOutboundFile(settings, paths, nothing);
}
//# sourceMappingURL=create.js.map