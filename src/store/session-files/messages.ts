import type { MessageId } from '../../protocol/address.js';
import type { MessageCounts } from '../../core/facts.js';
import type { RestFailure } from '../../ports/session-files.js';
import { MESSAGE_STATUSES, MISSED_POLICIES, type MessageChange, type MessageRow } from '../../protocol/rows.js';
import { findParent, insertSuccessors, isUnique } from './successors.js';
import { formatInstant, parseInstant } from '../../protocol/times.js';
import type { Shape } from './check-schema.js';
import type { SqliteDatabase } from './open-database.js';

/** A row is not as the change expects it; the transaction is undone. */
export class StaleChange extends Error {}

/** In this order in a `RawMessage`. */
const MESSAGE_COLUMNS = [
  ...['id', 'seq', 'status', 'trigger', 'timestamp', 'process_after', 'tries', 'attempt'],
  ...['settled_claim', 'deferrals', 'recurrence', 'series_id', 'timezone', 'missed', 'occurrence'],
];

/** The host's own file: types are checked here rather than in SQL, whose compiling is what a look's time goes to. */
type RawMessage = readonly unknown[];

/** The pending and paused messages by seq, without their content. Times that do not parse count as now. */
export function readUnfinished(database: SqliteDatabase, shape: Shape, nowMs: number): readonly MessageRow[] {
  return readRows(database, shape, nowMs, "status IN ('pending', 'paused')");
}

/** Those of the messages that `where` lets through, by seq, without their content. */
export function readRows(
  database: SqliteDatabase,
  shape: Shape,
  nowMs: number,
  where: string,
  ...values: readonly string[]
): readonly MessageRow[] {
  const present = shape.get('messages_in');
  if (present === undefined) return [];
  const columns = MESSAGE_COLUMNS.map((column) => (present.has(column) ? `"${column}"` : `NULL AS ${column}`));
  const sql = `SELECT ${columns.join(', ')} FROM messages_in WHERE ${where}`;
  const rows = database
    .prepare<string[], RawMessage>(sql)
    .raw()
    .all(...values);
  return rows.flatMap((row) => messageOf(row, nowMs) ?? []).sort((a, b) => a.seq - b.seq);
}

/** undefined: a row without an id. */
function messageOf(row: RawMessage, nowMs: number): MessageRow | undefined {
  const [id, seq, status, trigger, timestamp, processAfter, tries, attempt] = row;
  const [settledClaim, deferrals, recurrence, seriesId, timezone, missed, occurrence] = row.slice(8);
  if (typeof id !== 'string') return undefined;
  return {
    id: id as MessageId,
    seq: integerOr0(seq),
    status: MESSAGE_STATUSES.find((known) => known === status) ?? 'pending',
    trigger: trigger !== 0,
    timestampMs: instantOrNull(timestamp) ?? nowMs,
    processAfterMs: instantOrNull(processAfter),
    tries: integerOr0(tries),
    attempt: integerOr0(attempt),
    settledClaim: textOrNull(settledClaim),
    deferrals: integerOr0(deferrals),
    recurrence: textOrNull(recurrence),
    seriesId: textOrNull(seriesId),
    timezone: textOrNull(timezone),
    missed: MISSED_POLICIES.find((policy) => policy === missed) ?? 'latest',
    occurrenceMs: instantOrNull(occurrence),
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

/** SQL that picks the dead letters that are not purged. */
export function deadLetters(shape: Shape): string {
  return shape.get('messages_in')?.has('purged_at') === true
    ? "status = 'failed' AND purged_at IS NULL"
    : "status = 'failed'";
}

/** SQL that counts them from indexes alone: a long history costs a look next to nothing. */
export function countDeadLetters(shape: Shape): string {
  const failed = "(SELECT count(*) FROM messages_in WHERE status = 'failed')";
  return shape.get('messages_in')?.has('purged_at') === true ? `max(0, ${failed} - ${COUNT_PURGED})` : failed;
}

const COUNT_PURGED = '(SELECT count(*) FROM messages_in WHERE purged_at IS NOT NULL)';

/** Dead letters that are left, and those that are hidden. */
export function countDead(
  database: SqliteDatabase,
  shape: Shape,
): { readonly failed: number; readonly hidden: number } {
  const hidden = shape.get('messages_in')?.has('purged_at') === true ? COUNT_PURGED : '0';
  const row = database
    .prepare<[], readonly [failed: number, hidden: number]>(`SELECT ${countDeadLetters(shape)}, ${hidden}`)
    .raw()
    .get();
  const [failed, hiddenCount] = row ?? [0, 0];
  return { failed, hidden: hiddenCount };
}

export type FinishedCounts = Pick<MessageCounts, 'completed' | 'failed'>;

/** How many messages have ended, and when the newest of all was put in (null: there is none). */
export function readTotals(
  database: SqliteDatabase,
  shape: Shape,
): { readonly finished: FinishedCounts; readonly newestMs: number | null } {
  if (!shape.has('messages_in')) return { finished: { completed: 0, failed: 0 }, newestMs: null };
  const row = database
    .prepare<[], readonly [completed: number, failed: number, newest: unknown]>(
      `SELECT (SELECT count(*) FROM messages_in WHERE status = 'completed'),
         ${countDeadLetters(shape)},
         (SELECT timestamp FROM messages_in ORDER BY seq DESC LIMIT 1)`,
    )
    .raw()
    .get();
  const [completed, failed, newest] = row ?? [0, 0, null];
  return { finished: { completed, failed }, newestMs: instantOrNull(newest) };
}

/** Applies changes inside a transaction of the caller. Throws `StaleChange` if one row is not as expected. */
export function applyChanges(database: SqliteDatabase, changes: readonly MessageChange[]): void {
  for (const change of changes) {
    const before = change.successors === undefined ? undefined : findParent(database, change.id);
    // A row may be moved to an occurrence that another one stands for already: it goes on without a name for it.
    const columns = columnsOf(change.set);
    const isDone = isUnique(() => {
      applyChange(database, change, columns);
    });
    if (!isDone) applyChange(database, change, { ...columns, occurrence: null });
    if (before !== undefined) insertSuccessors(database, change, before);
  }
}

/** All unfinished messages but those of series end as dead letters; claims to them are strays from then on. */
export function failRest(database: SqliteDatabase, { error, errorClass }: RestFailure, nowMs: number): void {
  database
    .prepare(
      `UPDATE messages_in SET status = 'failed', error = ?, error_class = ?, finished_at = ?
       WHERE status IN ('pending', 'paused') AND recurrence IS NULL`,
    )
    .run(error, errorClass, formatInstant(nowMs));
}

type Columns = Readonly<Record<string, string | number | null | undefined>>;

function applyChange(database: SqliteDatabase, { id, expect }: MessageChange, set: Columns): void {
  const columns = Object.entries(set).filter(([, value]) => value !== undefined);
  const assignments = columns.map(([column]) => `${column} = ?`).join(', ');
  if (assignments === '') return;
  const { schedule, status } = expect;
  const statuses = status === undefined ? "('pending', 'paused')" : `('${status}')`;
  const expected = schedule === undefined ? '' : 'AND recurrence = ? AND timezone IS ?';
  const { changes: changed } = database
    .prepare(
      `UPDATE messages_in SET ${assignments} WHERE id = ? AND ifnull(attempt, 0) = ? AND ifnull(tries, 0) = ?
         AND status IN ${statuses} ${expected}`,
    )
    .run(
      ...columns.map(([, value]) => value),
      ...[id, expect.attempt, expect.tries],
      ...(schedule === undefined ? [] : [schedule.recurrence, schedule.timezone]),
    );
  if (changed !== 1) throw new StaleChange(`message ${id} is not as expected any more`);
}

function columnsOf(set: MessageChange['set']): Columns {
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
    purged_at: set.purgedAtMs,
    recurrence: set.recurrence,
    occurrence: instantText(set.occurrenceMs),
  };
}

function instantText(ms: number | null | undefined): string | null | undefined {
  return typeof ms === 'number' ? formatInstant(ms) : ms;
}
