import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { syncFolder } from './folders.js';
import { codeOf, hostile } from './finding.js';
import { eachName, isForbidden, unlocked, type HeldFolder } from './held-folder.js';
import { kindOf } from './inspect-file.js';
import { removeTree } from './remove-tree.js';
import { openGroup } from './session-folder.js';
import type { SessionPaths } from './session-paths.js';

/** Within a group's folder; no session can have such a name. */
export const REMOVED_FOLDER = '.removed';
const UUID_LENGTH = 36;

/** `left`: where files are that this process may not delete, and why; null: nothing is left. */
export interface Removal {
  readonly left: { readonly folder: string; readonly detail: string } | null;
}

/**
 * Deletes a session's folder, links in it as links. It is put aside in one step first, so that a new session of the same name never finds the
 * files of the old one, whatever becomes of them; what is interrupted is finished by the next call for the session.
 */
export function removeSession(paths: SessionPaths): Removal {
  const group = openGroup(paths);
  if (group === undefined) return { left: null };
  try {
    putAside(group, paths);
    const removed = group.folder(REMOVED_FOLDER);
    if (removed === undefined) return { left: null };
    try {
      return { left: removeAside(removed, paths) };
    } finally {
      removed.close();
      removeEmpty(group.path(REMOVED_FOLDER));
      syncFolder(paths.group);
    }
  } finally {
    group.close();
  }
}

function putAside(group: HeldFolder, paths: SessionPaths): void {
  const name = basename(paths.session);
  const stats = group.find(name);
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw hostile('session folder', `is a ${kindOf(stats)}, not a folder`);
  makeFolder(group.path(REMOVED_FOLDER));
  const aside = `${String(group.path(REMOVED_FOLDER))}/${name}.${randomUUID()}`;
  unlocked(group, name, () => {
    renameSync(group.path(name), aside);
  });
  syncFolder(paths.group);
}

/** All that earlier calls for this session left, too; others' is left to them. */
function removeAside(removed: HeldFolder, paths: SessionPaths): Removal['left'] {
  const prefix = `${basename(paths.session)}.`;
  let left: Removal['left'] = null;
  for (const name of [...eachName(removed)].map(String)) {
    if (!name.startsWith(prefix) || name.length !== prefix.length + UUID_LENGTH) continue;
    try {
      removeTree(removed, name);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      left = { folder: `${paths.group}/${REMOVED_FOLDER}/${name}`, detail: String(error) };
    }
  }
  return left;
}

function makeFolder(path: string | Buffer): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function removeEmpty(path: string | Buffer): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error;
  }
}
