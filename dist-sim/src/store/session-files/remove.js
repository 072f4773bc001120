import { lstatSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { syncFolder } from './folders.js';
import { hostile } from './finding.js';
import { HeldFolder } from './held-folder.js';
import { kindOf } from './inspect-file.js';
import { removeTree } from './remove-tree.js';
/** Deletes a session's folder, links in it as links. What is interrupted is finished by the next call. */
export function removeSession(paths) {
    const stats = lstatSync(paths.session, { throwIfNoEntry: false });
    if (stats === undefined)
        return;
    if (!stats.isDirectory())
        throw hostile('session folder', `is a ${kindOf(stats)}, not a folder`);
    // The group's folder may be a link of the operator's.
    const group = HeldFolder.open(realpathSync(paths.group));
    try {
        if (group !== undefined)
            removeTree(group, basename(paths.session));
    }
    finally {
        group?.close();
    }
    syncFolder(paths.group);
}
//# sourceMappingURL=remove.js.map