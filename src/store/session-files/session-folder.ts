import { lstatSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { codeOf, missing } from './finding.js';
import { HeldFolder } from './held-folder.js';
import { checkFolders } from './inspect-file.js';
import type { SessionPaths } from './session-paths.js';

/** Works in a session's folder, held open; its group's may be a link of the operator's. Throws `missing`, `hostile`. */
export function withSessionFolder<T>(paths: SessionPaths, work: (folder: HeldFolder) => T): T {
  checkFolders(paths);
  const group = openGroup(paths);
  try {
    const session = group?.folder(basename(paths.session));
    if (session === undefined) throw missing();
    try {
      return work(session);
    } finally {
      session.close();
    }
  } finally {
    group?.close();
  }
}

/** The group's folder may be a link of the operator's. undefined: there is none. */
export function openGroup(paths: SessionPaths): HeldFolder | undefined {
  if (lstatSync(paths.group, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return HeldFolder.open(realpathSync(paths.group));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
