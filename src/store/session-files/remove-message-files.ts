import { attachmentNameProblem } from '../../protocol/attachments.js';
import { INBOX_FOLDER, OUTBOX_FOLDER } from '../../protocol/workspace.js';
import type { MessageFiles } from '../../ports/session-files.js';
import { HeldFolder } from './held-folder.js';
import { checkFolders } from './inspect-file.js';
import { removeTree } from './remove-tree.js';
import type { SessionPaths } from './session-paths.js';

/** Removes the folders of messages in the inbox and of answers in the outbox, also while a container writes there. */
export function removeMessageFiles(paths: SessionPaths, { messages, answers }: MessageFiles): number {
  checkFolders(paths);
  return removeBelow(paths.in, INBOX_FOLDER, messages) + removeBelow(paths.out, OUTBOX_FOLDER, answers);
}

function removeBelow(place: string, box: string, ids: readonly string[]): number {
  const parent = HeldFolder.open(place);
  const folder = parent?.folder(box);
  let removed = 0;
  try {
    if (folder === undefined) return 0;
    for (const id of ids) if (attachmentNameProblem(id) === undefined && removeTree(folder, id)) removed += 1;
    return removed;
  } finally {
    folder?.close();
    parent?.close();
  }
}
