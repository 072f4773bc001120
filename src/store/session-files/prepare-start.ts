import { lstatSync, unlinkSync } from 'node:fs';
import type { FilesLook } from '../../ports/session-files.js';
import { isAckOfAttempt } from '../../protocol/rows.js';
import type { MessageRow } from '../../protocol/rows.js';
import { HEARTBEAT_FILE } from '../../protocol/workspace.js';
import { readAcks } from './acks.js';
import type { Shape } from './check-schema.js';
import { createSession } from './create.js';
import { hostile } from './finding.js';
import { writeInbound, type Upgraded } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { lookAt, readInboundFacts } from './look.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import { removeExpired } from './runner-notes.js';
import type { SessionPaths } from './session-paths.js';

/** Readies the files for a new incarnation, only with no container running, then looks. */
export function prepareStart(
  settings: FilesSettings,
  paths: SessionPaths,
  nowMs: number,
  resumeMaxAgeMs: number,
): FilesLook & Upgraded & { readonly expired: number } {
  checkFolders(paths);
  createSession(settings, paths);
  // Opening both for writing rolls back what a killed writer left, and adds what an older file lacks.
  const { duplicates } = writeInbound(settings, paths, () => ({}));
  const rearmed = readInboundFacts(settings, paths, nowMs).unfinished.filter(({ attempt }) => attempt > 0);
  const expired = writeOutboundFile(settings, paths, (database, shape) => {
    if (rearmed.length > 0) removeVoidAcks(database, shape, rearmed);
    removeState(database, shape);
    return removeExpired(database, shape, resumeMaxAgeMs, nowMs);
  });
  removeHeartbeat(paths);
  return { ...lookAt(settings, paths, nowMs), duplicates, expired: expired ?? 0 };
}

/**
 * Ended acks of attempts that are over say nothing any more; but a runner that knows no attempts, started where another one
 * was before, would take them for its own and never claim their messages.
 */
function removeVoidAcks(database: SqliteDatabase, shape: Shape, rearmed: readonly MessageRow[]): void {
  const { acks } = readAcks(database, shape, rearmed);
  const rowids = rearmed.flatMap((message) => {
    const ack = acks.get(message.id);
    const isVoid = ack !== undefined && ack.status !== 'processing' && !isAckOfAttempt(message, ack);
    return isVoid ? [ack.rowid] : [];
  });
  if (rowids.length === 0) return;
  const remove = database.prepare('DELETE FROM processing_ack WHERE rowid = ?');
  database
    .transaction(() => {
      for (const rowid of rowids) remove.run(rowid);
    })
    .immediate();
}

/** What the container before said of itself: whose it is cannot be told of a row that names no incarnation. */
function removeState(database: SqliteDatabase, shape: Shape): void {
  if (!shape.has('container_state')) return;
  const isThere = database.prepare('SELECT 1 FROM container_state LIMIT 1').get() !== undefined;
  if (isThere) database.prepare('DELETE FROM container_state').run();
}

/** Removes whatever bears the name, a link itself and never what it leads to. */
function removeHeartbeat(paths: SessionPaths): void {
  const stats = lstatSync(paths.heartbeat, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory()) throw hostile(HEARTBEAT_FILE, 'is a folder, not a file');
  unlinkSync(paths.heartbeat);
}
