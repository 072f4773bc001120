import type { MessageId } from '../../protocol/address.js';
import {
  isErrorClass,
  type AckRow,
  type AckStatus,
  type ContainerStateRow,
  type MessageRow,
} from '../../protocol/rows.js';
import { parseInstant } from '../../protocol/times.js';
import { NO_NOTES, type RunnerNotes } from '../../protocol/runner-notes.js';
import { cutCell, ID_MAX_BYTES, integerCell, integerOf, textCell, textOf } from './cells.js';
import { cellOrNull, type Shape } from './check-schema.js';
import { hostile } from './finding.js';
import type { SqliteDatabase } from './open-database.js';
import { readNotes } from './runner-notes.js';

/** An ack with the place of its row, for deleting exactly that one. */
export interface StoredAck extends AckRow {
  readonly rowid: number;
}

/** What outbound.db says, of the host's own unfinished messages and of its newest rows. */
export interface OutboundFacts {
  /** By message id: acks of unfinished messages, of whatever attempt. */
  readonly acks: ReadonlyMap<string, StoredAck>;
  readonly strayClaims: readonly StoredAck[];
  /** Ids of claimed messages that were answered. */
  readonly answered: ReadonlySet<string>;
  readonly containerState: ContainerStateRow | null;
  readonly answers: { readonly count: number; readonly mark: number; readonly newestMs: number | null };
  readonly newestAck: StoredAck | null;
  readonly notes: RunnerNotes;
}

export const NO_OUTBOUND: OutboundFacts = {
  acks: new Map(),
  strayClaims: [],
  answered: new Set(),
  containerState: null,
  answers: { count: 0, mark: 0, newestMs: null },
  newestAck: null,
  notes: NO_NOTES,
};

/** Newest rows that are searched for claims of strangers and the newest ack; beyond them the host's own are found by key. */
const ACK_WINDOW = 256;
/** Newest answers among which those to claims are searched. */
const ANSWER_WINDOW = 2_000;
/** Far below what SQLite takes. */
const IDS_PER_QUERY = 500;
const ERROR_MAX_BYTES = 8_192;
const ERROR_LOAD_MAX_BYTES = 1_048_576;

/** In the order of `ackColumns`. */
type RawAck = readonly [rowid: number, ...cells: readonly unknown[]];

/** Reads outbound.db through a checked handle. `unfinished`: the host's pending and paused messages. */
export function readOutbound(database: SqliteDatabase, shape: Shape, unfinished: readonly MessageRow[]): OutboundFacts {
  const claims = readAcks(database, shape, unfinished);
  const claimed = [...claims.acks.values()].filter((ack) => ack.status === 'processing').map((ack) => ack.messageId);
  return {
    ...claims,
    answered: readAnswered(database, shape, claimed),
    containerState: readContainerState(database, shape),
    answers: readAnswers(database, shape),
    notes: readNotes(database, shape),
  };
}

/** The part of the facts that a settle compares and deletes. */
export function readAcks(
  database: SqliteDatabase,
  shape: Shape,
  unfinished: readonly MessageRow[],
): Pick<OutboundFacts, 'acks' | 'strayClaims' | 'newestAck'> {
  if (!shape.has('processing_ack')) return NO_OUTBOUND;
  const select = `SELECT ${ackColumns(shape)} FROM processing_ack`;
  const window = database
    .prepare<[], RawAck>(`${select} ORDER BY rowid DESC LIMIT ${String(ACK_WINDOW)}`)
    .raw()
    .all();
  const newest = window.map(ackOf).filter((ack) => ack !== undefined);
  const acks = findAcks(database, select, unfinished, newest, window.length < ACK_WINDOW ? 'all' : 'newest');
  const own = new Set<string>(unfinished.map((message) => message.id));
  return {
    acks,
    strayClaims: newest.filter((ack) => ack.status === 'processing' && !own.has(ack.messageId)),
    newestAck: [...newest, ...acks.values()].reduce<StoredAck | null>(newerOf, null),
  };
}

function findAcks(
  database: SqliteDatabase,
  select: string,
  unfinished: readonly MessageRow[],
  read: readonly StoredAck[],
  extent: 'all' | 'newest',
): ReadonlyMap<string, StoredAck> {
  const byId = new Map<string, StoredAck>(read.map((ack) => [ack.messageId, ack]));
  const find =
    extent === 'all' ? undefined : database.prepare<[string], RawAck>(`${select} WHERE message_id = ?`).raw();
  const acks = new Map<string, StoredAck>();
  for (const { id } of unfinished) {
    const row = byId.has(id) ? undefined : find?.get(id);
    const ack = byId.get(id) ?? (row === undefined ? undefined : ackOf(row));
    if (ack?.messageId === id) acks.set(id, ack);
  }
  return acks;
}

/** Acks of these messages, found by key however old they are, of whatever attempt. */
export function readAcksOf(
  database: SqliteDatabase,
  shape: Shape,
  ids: readonly string[],
): ReadonlyMap<string, StoredAck> {
  if (ids.length === 0 || !shape.has('processing_ack')) return new Map();
  const find = database
    .prepare<[string], RawAck>(`SELECT ${ackColumns(shape)} FROM processing_ack WHERE message_id = ?`)
    .raw();
  const found = ids.map((id) => find.get(id)).filter((row) => row !== undefined);
  const acks = found.map(ackOf).filter((ack) => ack !== undefined);
  return new Map(acks.map((ack) => [ack.messageId, ack]));
}

function newerOf(best: StoredAck | null, ack: StoredAck): StoredAck {
  return best === null || (ack.statusChangedMs ?? -Infinity) > (best.statusChangedMs ?? -Infinity) ? ack : best;
}

function ackColumns(shape: Shape): string {
  const optional = (column: string, sql: (column: string) => string): string =>
    cellOrNull(shape, 'processing_ack', column, sql);
  return [
    'rowid',
    textCell('message_id'),
    textCell('status'),
    textCell('status_changed'),
    optional('attempt', integerCell),
    optional('incarnation', integerCell),
    optional('error', (column) => cutCell(column, ERROR_MAX_BYTES, ERROR_LOAD_MAX_BYTES)),
    optional('error_class', textCell),
    optional('retry_at', textCell),
  ].join(', ');
}

/** undefined: a row that says nothing (an unknown status, an id over limits). */
function ackOf([rowid, ...cells]: RawAck): StoredAck | undefined {
  const [id, statusCell, changed, attempt, incarnation, error, errorClassCell, retryAt] = cells;
  const messageId = textOf(id);
  const status = textOf(statusCell);
  if (messageId === null || !isAckStatus(status)) return undefined;
  const statusChanged = textOf(changed);
  if (statusChanged === null) throw hostile('outbound.db', `a status_changed over ${String(ID_MAX_BYTES)} bytes`);
  const errorClass = textOf(errorClassCell);
  return {
    rowid,
    messageId: messageId as MessageId,
    status,
    statusChanged,
    statusChangedMs: parseInstant(statusChanged),
    attempt: integerOf(attempt),
    incarnation: integerOf(incarnation),
    error: textOf(error),
    errorClass: errorClass !== null && isErrorClass(errorClass) ? errorClass : null,
    retryAtMs: instantOf(retryAt),
  };
}

function isAckStatus(text: string | null): text is AckStatus {
  return text === 'processing' || text === 'completed' || text === 'failed';
}

function readAnswered(database: SqliteDatabase, shape: Shape, ids: readonly string[]): ReadonlySet<string> {
  if (ids.length === 0 || !shape.has('messages_out')) return new Set();
  const found = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const some = ids.slice(from, from + IDS_PER_QUERY);
    const rows = database
      .prepare<string[], string>(
        `SELECT id FROM (
           SELECT ${textCell('in_reply_to')} AS id FROM messages_out ORDER BY rowid DESC LIMIT ${String(ANSWER_WINDOW)}
         ) WHERE id IN (${some.map(() => '?').join(', ')})`,
      )
      .pluck()
      .all(...some);
    for (const id of rows) found.add(id);
  }
  return found;
}

function readAnswers(database: SqliteDatabase, shape: Shape): OutboundFacts['answers'] {
  if (!shape.has('messages_out')) return NO_OUTBOUND.answers;
  const row = database
    .prepare<[], readonly [count: number, mark: number, at: unknown]>(
      `SELECT (SELECT count(*) FROM messages_out), rowid, ${textCell('timestamp')}
       FROM messages_out ORDER BY rowid DESC LIMIT 1`,
    )
    .raw()
    .get();
  if (row === undefined) return NO_OUTBOUND.answers;
  const [count, mark, at] = row;
  return { count, mark, newestMs: instantOf(at) };
}

function readContainerState(database: SqliteDatabase, shape: Shape): ContainerStateRow | null {
  if (!shape.has('container_state')) return null;
  const cell = (column: string, sql: (column: string) => string): string =>
    cellOrNull(shape, 'container_state', column, sql);
  const columns = [
    cell('current_tool', textCell),
    cell('tool_declared_timeout_ms', integerCell),
    cell('tool_started_at', textCell),
    cell('updated_at', textCell),
    cell('incarnation', integerCell),
    cell('heartbeat_interval_ms', integerCell),
    cell('progress_at', textCell),
  ];
  const sql = `SELECT ${columns.join(', ')} FROM container_state WHERE id = 1`;
  const row = database.prepare<[], readonly unknown[]>(sql).raw().get();
  if (row === undefined) return null;
  const [tool, timeoutMs, startedAt, updatedAt, incarnation, intervalMs, progressAt] = row;
  return {
    currentTool: textOf(tool),
    toolDeclaredTimeoutMs: integerOf(timeoutMs),
    toolStartedAtMs: instantOf(startedAt),
    updatedAtMs: instantOf(updatedAt),
    incarnation: integerOf(incarnation),
    heartbeatIntervalMs: integerOf(intervalMs),
    progressAtMs: instantOf(progressAt),
  };
}

function instantOf(cell: unknown): number | null {
  const text = textOf(cell);
  return text === null ? null : (parseInstant(text) ?? null);
}
