import type { MessageId } from '../../protocol/address.js';
import type { MessageCounts } from '../../core/facts.js';
import type { MessageChange, MessageRow } from '../../protocol/rows.js';
import { formatInstant, parseInstant } from '../../protocol/times.js';
import { integerCell, textCell } from './cells.js';
import { cellOrNull, type Shape } from './check-schema.js';
import type { SqliteDatabase } from './open-database.js';

/** A row is not as the change expects it; the transaction is undone. */
export class StaleChange extends Error {}

interface RawMessage {
  readonly id: string;
  readonly seq: number | null;
  readonly status: 'pending' | 'paused';
  readonly trigger: number | null;
  readonly timestamp: string | null;
  readonly process_after: string | null;
  readonly tries: number | null;
  readonly attempt: number | null;
  readonly settled_claim: string | null;
  readonly deferrals: number | null;
  readonly recurrence: string | null;
  readonly series_id: string | null;
}

/** The pending and paused messages by seq, without their content. Times that do not parse count as now. */
export function readUnfinished(database: SqliteDatabase, shape: Shape, nowMs: number): readonly MessageRow[] {
  if (!shape.has('messages_in')) return [];
  const cell = (column: keyof RawMessage, sql: (column: string) => string): string =>
    `${cellOrNull(shape, 'messages_in', column, sql)} AS "${column}"`;
  const columns = [
    'id',
    cell('seq', integerCell),
    'status',
    cell('trigger', integerCell),
    cell('timestamp', textCell),
    cell('process_after', textCell),
    cell('tries', integerCell),
    cell('attempt', integerCell),
    cell('settled_claim', (column) => textCell(column, 2_048)),
    cell('deferrals', integerCell),
    cell('recurrence', textCell),
    cell('series_id', textCell),
  ];
  const rows = database
    .prepare<[], RawMessage>(
      `SELECT ${columns.join(', ')} FROM messages_in WHERE status IN ('pending', 'paused') AND typeof(id) = 'text'`,
    )
    .all();
  return rows.map((row) => messageOf(row, nowMs)).sort((a, b) => a.seq - b.seq);
}

function messageOf(row: RawMessage, nowMs: number): MessageRow {
  return {
    id: row.id as MessageId,
    seq: row.seq ?? 0,
    status: row.status,
    trigger: row.trigger !== 0,
    timestampMs: (row.timestamp === null ? undefined : parseInstant(row.timestamp)) ?? nowMs,
    processAfterMs: row.process_after === null ? null : (parseInstant(row.process_after) ?? null),
    tries: row.tries ?? 0,
    attempt: row.attempt ?? 0,
    settledClaim: row.settled_claim,
    deferrals: row.deferrals ?? 0,
    recurrence: row.recurrence,
    seriesId: row.series_id,
  };
}

export type FinishedCounts = Pick<MessageCounts, 'completed' | 'failed'>;

export function countFinished(database: SqliteDatabase, shape: Shape): FinishedCounts {
  if (!shape.has('messages_in')) return { completed: 0, failed: 0 };
  const rows = database
    .prepare<[], { readonly status: string; readonly count: number }>(
      `SELECT status, count(*) AS count FROM messages_in WHERE status IN ('completed', 'failed') GROUP BY status`,
    )
    .all();
  const countOf = (status: string): number => rows.find((row) => row.status === status)?.count ?? 0;
  return { completed: countOf('completed'), failed: countOf('failed') };
}

/** When the newest message was put in; null when there is none. */
export function findNewestMessageMs(database: SqliteDatabase, shape: Shape): number | null {
  if (!shape.has('messages_in')) return null;
  const row = database
    .prepare<[], { readonly at: string | null }>(
      `SELECT ${textCell('timestamp')} AS at FROM messages_in ORDER BY seq DESC LIMIT 1`,
    )
    .get();
  return (row === undefined || row.at === null ? undefined : parseInstant(row.at)) ?? null;
}

/** Applies changes inside a transaction of the caller. Throws `StaleChange` if one row is not as expected. */
export function applyChanges(database: SqliteDatabase, changes: readonly MessageChange[]): void {
  for (const change of changes) {
    const columns = Object.entries(columnsOf(change.set)).filter(([, value]) => value !== undefined);
    const assignments = columns.map(([column]) => `${column} = ?`).join(', ');
    if (assignments === '') continue;
    const { changes: changed } = database
      .prepare(
        `UPDATE messages_in SET ${assignments} WHERE id = ? AND ifnull(attempt, 0) = ? AND ifnull(tries, 0) = ?
           AND status IN ('pending', 'paused')`,
      )
      .run(...columns.map(([, value]) => value), change.id, change.expect.attempt, change.expect.tries);
    if (changed !== 1) throw new StaleChange(`message ${change.id} is not as expected any more`);
  }
}

function columnsOf(set: MessageChange['set']): Record<string, string | number | null | undefined> {
  return {
    status: set.status,
    tries: set.tries,
    attempt: set.attempt,
    process_after: textOrNull(set.processAfterMs),
    deferrals: set.deferrals,
    settled_claim: set.settledClaim,
    error: set.error,
    error_class: set.errorClass,
    finished_at: textOrNull(set.finishedAtMs),
  };
}

function textOrNull(ms: number | null | undefined): string | null | undefined {
  return typeof ms === 'number' ? formatInstant(ms) : ms;
}
