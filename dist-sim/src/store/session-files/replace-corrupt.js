import { lstatSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { createSession } from './create.js';
import { syncFolder } from './folders.js';
import { codeOf } from './finding.js';
import { checkFolders } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import { restoreRows, salvageRows } from './salvage.js';
/** Moves a corrupt file and its journal aside, makes a fresh one, and puts back what can still be read of inbound.db. */
export function replaceCorrupt(settings, paths, file, nowMs) {
    checkFolders(paths);
    const path = file === 'inbound.db' ? paths.inbound : paths.outbound;
    const salvaged = file === 'inbound.db' ? salvageRows(settings, paths) : [];
    const movedTo = freeName(`${path}.corrupt-${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')}`);
    // The journal first: left beside the fresh file it would be rolled back into it.
    renameIfThere(`${path}-journal`, `${movedTo}-journal`);
    renameIfThere(path, movedTo);
    syncFolder(dirname(path));
    createSession(settings, paths);
    if (salvaged.length > 0)
        restoreRows(settings, paths, salvaged);
    return { movedTo, unfinished: readInboundFacts(settings, paths, nowMs).unfinished };
}
function freeName(wanted) {
    let name = wanted;
    for (let number = 2; lstatSync(name, { throwIfNoEntry: false }) !== undefined; number += 1) {
        name = `${wanted}-${String(number)}`;
    }
    return name;
}
function renameIfThere(from, to) {
    try {
        renameSync(from, to);
    }
    catch (error) {
        if (codeOf(error) !== 'ENOENT')
            throw error;
    }
}
//# sourceMappingURL=replace-corrupt.js.map