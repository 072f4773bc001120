import { lstatSync, unlinkSync } from 'node:fs';
import type { FilesLook } from '../../ports/session-files.js';
import { HEARTBEAT_FILE } from '../../protocol/workspace.js';
import { createSession } from './create.js';
import { hostile } from './finding.js';
import { writeInbound, type Upgraded } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { lookAt } from './look.js';
import type { FilesSettings } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';

/** Readies the files for a new incarnation, only with no container running, then looks. */
export function prepareStart(settings: FilesSettings, paths: SessionPaths, nowMs: number): FilesLook & Upgraded {
  checkFolders(paths);
  createSession(settings, paths);
  // Opening both for writing rolls back what a killed writer left, and adds what an older file lacks.
  const { duplicates } = writeInbound(settings, paths, () => ({}));
  writeOutboundFile(settings, paths, () => undefined);
  removeHeartbeat(paths);
  return { ...lookAt(settings, paths, nowMs), duplicates };
}

/** Removes whatever bears the name, a link itself and never what it leads to. */
function removeHeartbeat(paths: SessionPaths): void {
  const stats = lstatSync(paths.heartbeat, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory()) throw hostile(HEARTBEAT_FILE, 'is a folder, not a file');
  unlinkSync(paths.heartbeat);
}
