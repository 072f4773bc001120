import type { MessageId } from '../../protocol/address.js';
import type { MessageCounts } from '../../core/facts.js';
import type { MessageChange, MessageRow } from '../../protocol/rows.js';
import { formatInstant, parseInstant } from '../../protocol/times.js';
import type { Shape } from './check-schema.js';
import type { SqliteDatabase } from './open-database.js';

/** A row is not as the change expects it; the transaction is undone. */
export class StaleChange extends Error {}

/** The host's own file: types are checked here rather than in SQL, whose compiling is what a look's time goes to. */
type RawMessage = Readonly<Record<(typeof MESSAGE_COLUMNS)[number], unknown>>;

const MESSAGE_COLUMNS = [
  ...(['id', 'seq', 'status', 'trigger', 'timestamp', 'process_after', 'tries', 'attempt'] as const),
  ...(['settled_claim', 'deferrals', 'recurrence', 'series_id'] as const),
] as const;

/** The pending and paused messages by seq, without their content. Times that do not parse count as now. */
export function readUnfinished(database: SqliteDatabase, shape: Shape, nowMs: number): readonly MessageRow[] {
  const present = shape.get('messages_in');
  if (present === undefined) return [];
  const columns = MESSAGE_COLUMNS.map((column) => (present.has(column) ? `"${column}"` : `NULL AS ${column}`));
  const rows = database
    .prepare<[], RawMessage>(
      `SELECT ${columns.join(', ')} FROM messages_in WHERE status IN ('pending', 'paused') ORDER BY seq`,
    )
    .all();
  return rows.flatMap((row) => (typeof row.id === 'string' ? [messageOf(row.id, row, nowMs)] : []));
}

function messageOf(id: string, row: RawMessage, nowMs: number): MessageRow {
  return {
    id: id as MessageId,
    seq: integerOr0(row.seq),
    status: row.status === 'paused' ? 'paused' : 'pending',
    trigger: row.trigger !== 0,
    timestampMs: instantOrNull(row.timestamp) ?? nowMs,
    processAfterMs: instantOrNull(row.process_after),
    tries: integerOr0(row.tries),
    attempt: integerOr0(row.attempt),
    settledClaim: textOrNull(row.settled_claim),
    deferrals: integerOr0(row.deferrals),
    recurrence: textOrNull(row.recurrence),
    seriesId: textOrNull(row.series_id),
  };
}

function integerOr0(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function instantOrNull(value: unknown): number | null {
  return typeof value === 'string' ? (parseInstant(value) ?? null) : null;
}

export type FinishedCounts = Pick<MessageCounts, 'completed' | 'failed'>;

/** How many messages have ended, and when the newest of all was put in (null: there is none). */
export function readTotals(
  database: SqliteDatabase,
  shape: Shape,
): { readonly finished: FinishedCounts; readonly newestMs: number | null } {
  if (!shape.has('messages_in')) return { finished: { completed: 0, failed: 0 }, newestMs: null };
  const row = database
    .prepare<[], { readonly completed: number; readonly failed: number; readonly newest: unknown }>(
      `SELECT (SELECT count(*) FROM messages_in WHERE status = 'completed') AS completed,
         (SELECT count(*) FROM messages_in WHERE status = 'failed') AS failed,
         (SELECT timestamp FROM messages_in ORDER BY seq DESC LIMIT 1) AS newest`,
    )
    .get();
  return {
    finished: { completed: row?.completed ?? 0, failed: row?.failed ?? 0 },
    newestMs: instantOrNull(row?.newest),
  };
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
    process_after: instantText(set.processAfterMs),
    deferrals: set.deferrals,
    settled_claim: set.settledClaim,
    error: set.error,
    error_class: set.errorClass,
    finished_at: instantText(set.finishedAtMs),
  };
}

function instantText(ms: number | null | undefined): string | null | undefined {
  return typeof ms === 'number' ? formatInstant(ms) : ms;
}
