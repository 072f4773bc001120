import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync, renameSync } from 'node:fs';
import { basename } from 'node:path';
import { syncFolder } from './folders.js';
import { codeOf, hostile } from './finding.js';
import { HeldFolder } from './held-folder.js';
import { kindOf } from './inspect-file.js';
import { removeTree } from './remove-tree.js';
import type { SessionPaths } from './session-paths.js';

/** Within a group's folder; no session can have such a name. */
export const REMOVED_FOLDER = '.removed';

/**
 * Deletes a session's folder, links in it as links. It is put aside in one step first, so that a new session of the same name never finds the
 * files of the old one; what is interrupted is finished by the next call for a session of the group.
 */
export function removeSession(paths: SessionPaths): void {
  const group = openGroup(paths);
  if (group === undefined) return;
  try {
    const name = basename(paths.session);
    const stats = group.find(name);
    if (stats !== undefined) {
      if (!stats.isDirectory()) throw hostile('session folder', `is a ${kindOf(stats)}, not a folder`);
      makeFolder(group.path(REMOVED_FOLDER));
      renameSync(group.path(name), `${String(group.path(REMOVED_FOLDER))}/${randomUUID()}`);
      syncFolder(paths.group);
    }
    // All that is in it: also what an earlier call left.
    removeTree(group, REMOVED_FOLDER);
  } finally {
    group.close();
  }
  syncFolder(paths.group);
}

/** The group's folder may be a link of the operator's. undefined: there is none. */
function openGroup(paths: SessionPaths): HeldFolder | undefined {
  if (lstatSync(paths.group, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return HeldFolder.open(realpathSync(paths.group));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function makeFolder(path: string | Buffer): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
