import { randomUUID } from 'node:crypto';
import { opendirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { attachmentNameProblem } from '../../protocol/attachments.js';
import { INBOX_FOLDER, OUTBOX_FOLDER } from '../../protocol/workspace.js';
import type { MessageFiles } from '../../ports/session-files.js';
import { codeOf } from './finding.js';
import { HeldFolder } from './held-folder.js';
import { checkFolders } from './inspect-file.js';
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

/** Whether there was something. A link is removed as a link. */
function removeTree(parent: HeldFolder, name: string): boolean {
  const stats = parent.find(name);
  if (stats === undefined) return false;
  if (!stats.isDirectory()) {
    gone(() => {
      unlinkSync(parent.path(name));
    });
    return true;
  }
  const top = parent.folder(name);
  try {
    if (top !== undefined) empty(top);
  } finally {
    top?.close();
  }
  gone(() => {
    rmdirSync(parent.path(name));
  });
  return true;
}

/**
 * However deep it goes, two folders are held at a time: what a folder has in it is first brought up to the top. What
 * somebody goes on adding is removed until the deadline of the call.
 */
function empty(top: HeldFolder): void {
  for (let name = firstOf(top); name !== undefined; name = firstOf(top)) {
    if (!removeLeaf(top, name)) {
      const inner = top.folder(name);
      try {
        for (let deep = firstOf(inner); inner !== undefined && deep !== undefined; deep = firstOf(inner)) {
          if (removeLeaf(inner, deep)) continue;
          const up = top.path(`.${randomUUID()}`);
          gone(() => {
            renameSync(inner.path(deep), up);
          });
        }
      } finally {
        inner?.close();
      }
      removeLeaf(top, name);
    }
  }
}

/** A file, a link, an empty folder; false: a folder with something in it. */
function removeLeaf(folder: HeldFolder, name: Buffer): boolean {
  const path = folder.path(name);
  const isFolder = folder.find(name)?.isDirectory() === true;
  try {
    if (isFolder) rmdirSync(path);
    else unlinkSync(path);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === 'ENOENT') return true;
    if (['ENOTEMPTY', 'EEXIST', 'EISDIR', 'EPERM', 'ENOTDIR'].includes(code) && isFolder) return false;
    throw error;
  }
}

function firstOf(folder: HeldFolder | undefined): Buffer | undefined {
  if (folder === undefined) return undefined;
  const handle = opendirSync(folder.own, { encoding: 'buffer' as BufferEncoding, bufferSize: 1 });
  try {
    const entry = handle.readSync();
    return entry === null ? undefined : Buffer.from(entry.name);
  } finally {
    handle.closeSync();
  }
}

function gone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
