import type { MessageId } from '../../protocol/address.js';
import type { ClaimRef } from '../../core/action.js';
import type { SettleStep, Written } from '../../ports/session-files.js';
import { NO_OUTBOUND, readAcks, type OutboundFacts, type StoredAck } from './acks.js';
import { writeChanges } from './change.js';
import { isAckOfAttempt } from '../../protocol/rows.js';
import type { Shape } from './check-schema.js';
import { Finding } from './finding.js';
import { writeInbound, type Upgraded } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';

type Settled = Written & Partial<Upgraded>;

/**
 * Counts the claims of an incarnation that is gone, deletes their rows, clears their marks, in this order: a host
 * killed in between finds the mark and does not count twice. outbound.db is held from the comparison to the deletion.
 */
export function settleSession(settings: FilesSettings, paths: SessionPaths, step: SettleStep): Settled {
  checkFolders(paths);
  if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database') return { written: false };
  const { unfinished } = readInboundFacts(settings, paths, step.nowMs);
  const settled =
    writeOutboundFile(settings, paths, (database, shape) =>
      database
        .transaction((): Settled => {
          const found = readAcks(database, shape, unfinished);
          const rows = findRows(step, found);
          if (rows === undefined || hasMovedTurn(step, found)) return { written: false };
          const counted = writeChanges(settings, paths, step.changes, remainingAcks(found.acks, rows), step.nowMs);
          if (counted.written) deleteRows(database, shape, rows);
          return counted;
        })
        .immediate(),
    ) ?? settleWithoutAcks(settings, paths, step);
  if (settled.written) clearMarks(settings, paths, step);
  return settled;
}

/** There is no outbound.db any more: what its claims said cannot be compared. */
function settleWithoutAcks(settings: FilesSettings, paths: SessionPaths, step: SettleStep): Settled {
  if (step.claims.length > 0 || step.ackRows.length > 0) return { written: false };
  return writeChanges(settings, paths, step.changes, NO_OUTBOUND.acks, step.nowMs);
}

type FoundAcks = Pick<OutboundFacts, 'acks' | 'strayClaims'>;

/** The rows to delete; undefined when the claims are not those of the step, or an ack row is not an ended one. */
function findRows(step: SettleStep, found: FoundAcks): readonly StoredAck[] | undefined {
  const claims = [...found.acks.values(), ...found.strayClaims].filter((ack) => ack.status === 'processing');
  const expected = new Set(step.claims.map(identityOf));
  if (claims.length !== expected.size || !claims.every((claim) => expected.has(identityOf(claim)))) return undefined;
  const ended = step.ackRows.map((id) => found.acks.get(id));
  const rows = ended
    .filter((ack) => ack !== undefined && ack.status !== 'processing')
    .filter((ack) => ack !== undefined);
  return rows.length === ended.length ? [...claims, ...rows] : undefined;
}

/** A turn was had while its occurrence was about to be moved: it must not count for another one. */
function hasMovedTurn(step: SettleStep, { acks }: FoundAcks): boolean {
  return step.changes.some(({ id, expect, set }) => {
    const ack = acks.get(id);
    return set.occurrenceMs !== undefined && ack !== undefined && isAckOfAttempt(expect, ack);
  });
}

function identityOf(claim: ClaimRef): string {
  return JSON.stringify([claim.messageId, claim.statusChanged, claim.attempt]);
}

function remainingAcks(acks: FoundAcks['acks'], deleted: readonly StoredAck[]): FoundAcks['acks'] {
  const gone = new Set<string>(deleted.map((ack) => ack.messageId));
  return new Map([...acks].filter(([id]) => !gone.has(id)));
}

function deleteRows(database: SqliteDatabase, shape: Shape, rows: readonly StoredAck[]): void {
  if (rows.length === 0 || !shape.has('processing_ack')) return;
  const remove = database.prepare('DELETE FROM processing_ack WHERE rowid = ?');
  for (const { rowid } of rows) remove.run(rowid);
}

/** A mark that stays, because inbound.db is busy just now, is found and cleared by a later look. */
function clearMarks(settings: FilesSettings, paths: SessionPaths, step: SettleStep): void {
  const ids = new Set<MessageId>([...step.clear, ...step.claims.map((claim) => claim.messageId)]);
  if (ids.size === 0) return;
  try {
    writeInbound(settings, paths, (database) => {
      const clear = database.prepare(
        'UPDATE messages_in SET settled_claim = NULL WHERE id = ? AND settled_claim IS NOT NULL',
      );
      database
        .transaction(() => {
          for (const id of ids) clear.run(id);
        })
        .immediate();
      return {};
    });
  } catch (error) {
    if (!(error instanceof Finding && error.outcome.kind === 'busy')) throw error;
  }
}
