import { lstatSync } from 'node:fs';
import type { FilesLook } from '../../ports/session-files.js';
import { NO_OUTBOUND, readOutbound } from './acks.js';
import { findSignature } from './file-signature.js';
import { missing } from './finding.js';
import { readInbound } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { countFinished, findNewestMessageMs, readUnfinished } from './messages.js';
import type { FilesSettings } from './open-database.js';
import { readOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';
import { factsOf, type InboundFacts } from './summaries.js';

export const NO_INBOUND: InboundFacts = { unfinished: [], finished: { completed: 0, failed: 0 }, newestMs: null };

/** Reads both files and the heartbeat; writes nothing to either. */
export function lookAt(settings: FilesSettings, paths: SessionPaths, nowMs: number): FilesLook {
  checkFolders(paths);
  const signature = findSignature(paths);
  if (signature === null) throw missing();
  const inbound = readInboundFacts(settings, paths, nowMs);
  const outbound =
    readOutboundFile(settings, paths, (database, shape) => readOutbound(database, shape, inbound.unfinished)) ??
    NO_OUTBOUND;
  return { ...factsOf(inbound, outbound, findHeartbeatMs(paths), nowMs), signature };
}

export function readInboundFacts(settings: FilesSettings, paths: SessionPaths, nowMs: number): InboundFacts {
  const facts = readInbound(settings, paths, (database, shape) => ({
    unfinished: readUnfinished(database, shape, nowMs),
    finished: countFinished(database, shape),
    newestMs: findNewestMessageMs(database, shape),
  }));
  return facts ?? NO_INBOUND;
}

function findHeartbeatMs(paths: SessionPaths): number | null {
  const stats = lstatSync(paths.heartbeat, { throwIfNoEntry: false });
  return stats?.isFile() === true ? Math.floor(stats.mtimeMs) : null;
}
