import type { MessageId } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import type { PruneLimits, Pruned, PruneOutcome } from '../../ports/session-files.js';
import type { Shape } from './check-schema.js';
import { readInbound, writeInbound, type Upgraded } from './inbound.js';
import { countDead, readTotals } from './messages.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { writeOutboundFile } from './outbound.js';
import { removeMessageFiles } from './remove-message-files.js';
import type { SessionPaths } from './session-paths.js';

interface Ended {
  readonly id: MessageId;
  readonly status: 'completed' | 'failed';
}

/** Messages that ended before the limits; oldest first. Changes nothing. */
export function findPrunable(settings: FilesSettings, paths: SessionPaths, limits: PruneLimits): Pruned {
  checkFolders(paths);
  const ended = readInbound(settings, paths, (database, shape) => selectEnded(database, shape, limits)) ?? [];
  return prunedOf(ended);
}

/**
 * Deletes messages that have ended, only when no container runs: ended acks first, then the rows, then what lies in their inbox.
 * Interrupted, it leaves rows without an ack, which are ended and stay so, or files without a row; asked again for the same ids it finishes.
 */
export function pruneMessages(
  settings: FilesSettings,
  paths: SessionPaths,
  ids: readonly MessageId[],
): PruneOutcome & Partial<Upgraded> {
  checkFolders(paths);
  if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database') {
    return { gone: ids, completed: 0, failed: 0, hidden: 0 };
  }
  const free = deleteAcks(settings, paths, ids);
  const outcome = writeInbound(settings, paths, (database, shape) => deleteRows(database, shape, free));
  removeMessageFiles(paths, { messages: outcome.gone, answers: [] });
  return outcome;
}

function prunedOf(ended: readonly Ended[]): Pruned {
  const of = (status: Ended['status']): readonly MessageId[] =>
    ended.filter((row) => row.status === status).map(({ id }) => id);
  return { completed: of('completed'), failed: of('failed') };
}

type Row = readonly [id: unknown, status: unknown, finished: unknown, timestamp: unknown, purged: unknown];

/** All but the newest message: what comes next is numbered after it. A row that goes on with a series never ended. */
function selectEnded(database: SqliteDatabase, shape: Shape, limits: PruneLimits): readonly Ended[] {
  const columns = shape.get('messages_in');
  if (columns === undefined) return [];
  const cell = (column: string): string => (columns.has(column) ? column : `NULL`);
  const rows = database
    .prepare<[], Row>(
      `SELECT id, status, ${cell('finished_at')}, timestamp, ${cell('purged_at')} FROM messages_in
       WHERE status IN ('completed', 'failed') AND ${cell('recurrence')} IS NULL
         AND seq < (SELECT max(seq) FROM messages_in) ORDER BY seq`,
    )
    .raw()
    .iterate();
  const ended: Ended[] = [];
  for (const row of rows) {
    const one = endedBefore(row, limits);
    if (one !== undefined) ended.push(one);
    if (ended.length >= limits.most) break;
  }
  return ended;
}

/** A row of before `finished_at` counts from when it was put in. A time that is none keeps it. */
function endedBefore([id, status, finished, timestamp, purged]: Row, limits: PruneLimits): Ended | undefined {
  if (typeof id !== 'string') return undefined;
  const atMs = instantOf(finished) ?? instantOf(timestamp);
  if (atMs === undefined) return undefined;
  const isBefore = (instantMs: number, limitMs: number | null): boolean => limitMs !== null && instantMs < limitMs;
  if (status === 'completed') {
    return isBefore(atMs, limits.completedBeforeMs) ? { id: id as MessageId, status } : undefined;
  }
  const purgedMs = instantOf(purged);
  const isOver =
    isBefore(atMs, limits.failedBeforeMs) || (purgedMs !== undefined && isBefore(purgedMs, limits.purgedBeforeMs));
  return isOver ? { id: id as MessageId, status: 'failed' } : undefined;
}

function instantOf(cell: unknown): number | undefined {
  return typeof cell === 'string' ? parseInstant(cell) : undefined;
}

/** What has a claim is left alone: it is settled first. The ids that may go. */
function deleteAcks(settings: FilesSettings, paths: SessionPaths, ids: readonly MessageId[]): readonly MessageId[] {
  return (
    writeOutboundFile(settings, paths, (database) => {
      const claimed = database.prepare("SELECT 1 FROM processing_ack WHERE message_id = ? AND status = 'processing'");
      const remove = database.prepare('DELETE FROM processing_ack WHERE message_id = ?');
      return database
        .transaction(() => {
          const free = ids.filter((id) => claimed.get(id) === undefined);
          for (const id of free) remove.run(id);
          return free;
        })
        .immediate();
    }) ?? ids
  );
}

function deleteRows(database: SqliteDatabase, shape: Shape, ids: readonly MessageId[]): PruneOutcome {
  const series = shape.get('messages_in')?.has('recurrence') === true ? 'AND recurrence IS NULL' : '';
  const remove = database.prepare(
    `DELETE FROM messages_in WHERE id = ? AND status IN ('completed', 'failed') ${series}`,
  );
  const find = database.prepare('SELECT 1 FROM messages_in WHERE id = ?');
  const gone = database
    .transaction(() => {
      for (const id of ids) remove.run(id);
      return ids.filter((id) => find.get(id) === undefined);
    })
    .immediate();
  const { completed } = readTotals(database, shape).finished;
  return { gone, completed, ...countDead(database, shape) };
}
