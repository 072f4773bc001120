import { NO_NOTES, type RunnerNotes } from '../../protocol/runner-notes.js';
import { checkFolders } from './inspect-file.js';
import type { FilesSettings } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import { readNotes, removeExpired } from './runner-notes.js';
import type { SessionPaths } from './session-paths.js';

/** Deletes resume ids that are too old, only with no container running. What is left, and how many were deleted. */
export function expireResumeIds(
  settings: FilesSettings,
  paths: SessionPaths,
  resumeMaxAgeMs: number,
  nowMs: number,
): { readonly notes: RunnerNotes; readonly expired: number } {
  checkFolders(paths);
  const done = writeOutboundFile(settings, paths, (database, shape) => {
    const expired = removeExpired(database, shape, resumeMaxAgeMs, nowMs);
    return { expired, notes: readNotes(database, shape) };
  });
  return done ?? { notes: NO_NOTES, expired: 0 };
}
