import { lstatSync, rmSync } from 'node:fs';
import { syncFolder } from './folders.js';
import { hostile } from './finding.js';
import { kindOf } from './inspect-file.js';
import type { SessionPaths } from './session-paths.js';

/** Deletes a session's folder, links in it as links. What is interrupted is finished by the next call. */
export function removeSession(paths: SessionPaths): void {
  const stats = lstatSync(paths.session, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw hostile('session folder', `is a ${kindOf(stats)}, not a folder`);
  rmSync(paths.session, { recursive: true, force: true });
  syncFolder(paths.group);
}
