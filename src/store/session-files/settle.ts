import type { MessageId } from '../../protocol/address.js';
import { isAckOfAttempt, type MessageRow } from '../../protocol/rows.js';
import type { ClaimRef } from '../../core/action.js';
import type { SettleStep, Written } from '../../ports/session-files.js';
import { NO_OUTBOUND, readAcks, readAcksOf, type OutboundFacts, type StoredAck } from './acks.js';
import { writeChanges } from './change.js';
import type { Shape } from './check-schema.js';
import { Finding } from './finding.js';
import { readInbound, writeInbound, type Upgraded } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import { readRows } from './messages.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';

type Settled = Written & Partial<Upgraded>;

/**
 * Deletes ended acks of what is re-armed; then counts the claims of an incarnation that is gone, deletes their rows,
 * clears their marks, in this order: a host killed in between finds the mark and does not count twice. outbound.db is held from the comparison to the deletion.
 */
export function settleSession(settings: FilesSettings, paths: SessionPaths, step: SettleStep): Settled {
  checkFolders(paths);
  if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database') return { written: false };
  const { unfinished } = readInboundFacts(settings, paths, step.nowMs);
  if (!dropEndedAcks(settings, paths, step, unfinished)) return { written: false };
  const settled =
    writeOutboundFile(settings, paths, (database, shape) =>
      database
        .transaction((): Settled => {
          const found = readAcks(database, shape, unfinished);
          const rows = findClaims(
            step,
            found,
            readAcksOf(
              database,
              shape,
              step.claims.map(({ messageId }) => messageId),
            ),
          );
          if (rows === undefined || hasMovedTurn(step, found)) return { written: false };
          const counted = writeChanges(settings, paths, step, remainingAcks(found.acks, rows), step.nowMs);
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
  return writeChanges(settings, paths, step, NO_OUTBOUND.acks, step.nowMs);
}

type FoundAcks = Pick<OutboundFacts, 'acks' | 'strayClaims'>;

/**
 * Deletes the ended ack rows of messages that are to be re-armed, durably, before they are: the other way round a host
 * killed in between would leave an ack that a runner without attempts, and the next look, take for one of the new
 * attempt. Killed in between now, the message is as it was, without an ack. False: stale, nothing was deleted.
 */
function dropEndedAcks(
  settings: FilesSettings,
  paths: SessionPaths,
  step: SettleStep,
  unfinished: readonly MessageRow[],
): boolean {
  if (step.ackRows.length === 0) return true;
  if (!areAsExpected(settings, paths, step)) return false;
  const dropped = writeOutboundFile(settings, paths, (database, shape) =>
    database
      .transaction(() => {
        const claimed = readAcksOf(
          database,
          shape,
          step.claims.map(({ messageId }) => messageId),
        );
        if (findClaims(step, readAcks(database, shape, unfinished), claimed) === undefined) return false;
        const ended = [...readAcksOf(database, shape, step.ackRows).values()].filter(
          (ack) => ack.status !== 'processing',
        );
        if (ended.length !== new Set(step.ackRows).size) return false;
        deleteRows(database, shape, ended);
        return true;
      })
      .immediate(),
  );
  return dropped === true;
}

/** Whether the rows of messages that lose their ack are as the plan saw them; the writing checks all of them again. */
function areAsExpected(settings: FilesSettings, paths: SessionPaths, step: SettleStep): boolean {
  const changes = step.changes.filter(({ id }) => step.ackRows.includes(id));
  const rows =
    readInbound(settings, paths, (database, shape) =>
      changes.flatMap(({ id }) => readRows(database, shape, step.nowMs, 'id = ?', id)),
    ) ?? [];
  return changes.every(({ id, expect }) =>
    rows.some(
      (row) =>
        row.id === id &&
        row.attempt === expect.attempt &&
        row.tries === expect.tries &&
        (row.status === 'failed') === (expect.status === 'failed'),
    ),
  );
}

/** The claims to delete; undefined when they are not those of the step. `named`: those of the step, found by key. */
function findClaims(
  step: SettleStep,
  found: FoundAcks,
  named: ReadonlyMap<string, StoredAck>,
): readonly StoredAck[] | undefined {
  const all = [...found.acks.values(), ...found.strayClaims, ...named.values()];
  const claims = new Map(all.filter((ack) => ack.status === 'processing').map((ack) => [ack.rowid, ack]));
  const expected = new Set(step.claims.map(identityOf));
  const isSame = claims.size === expected.size && [...claims.values()].every((ack) => expected.has(identityOf(ack)));
  return isSame ? [...claims.values()] : undefined;
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
