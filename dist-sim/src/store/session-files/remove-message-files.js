import { attachmentNameProblem } from '../../protocol/attachments.js';
import { INBOX_FOLDER, OUTBOX_FOLDER } from '../../protocol/workspace.js';
import { HeldFolder } from './held-folder.js';
import { checkFolders } from './inspect-file.js';
import { removeTree } from './remove-tree.js';
/** Removes the folders of messages in the inbox and of answers in the outbox, also while a container writes there. */
export function removeMessageFiles(paths, { messages, answers }) {
    checkFolders(paths);
    return removeBelow(paths.in, INBOX_FOLDER, messages) + removeBelow(paths.out, OUTBOX_FOLDER, answers);
}
function removeBelow(place, box, ids) {
    const parent = HeldFolder.open(place);
    const folder = parent?.folder(box);
    let removed = 0;
    try {
        if (folder === undefined)
            return 0;
        for (const id of ids)
            if (attachmentNameProblem(id) === undefined && removeTree(folder, id))
                removed += 1;
        return removed;
    }
    finally {
        folder?.close();
        parent?.close();
    }
}
//# sourceMappingURL=remove-message-files.js.map