import type Database from 'better-sqlite3';
import type { ImportedAnswer, ImportedMessage } from '../../core/import/foreign.js';
import type { Routing, StateRow } from '../../ports/nanoclaw.js';
import { formatInstant } from '../../protocol/times.js';
import { codeOf } from '../session-files/finding.js';
import type { SqliteDatabase } from '../session-files/open-database.js';

type Value = string | number | null;
type Columns = Readonly<Record<string, Value>>;

/** Whole rows, with what was known of them elsewhere. Answers the ids that another row has. `numberMessages` numbers the rest. */
export function insertMessages(database: SqliteDatabase, messages: readonly ImportedMessage[]): readonly string[] {
  const insert = inserter(database, 'messages_in');
  return messages.flatMap((message) => {
    const columns = columnsOf(message);
    const attempts: readonly Columns[] = [
      columns,
      { ...columns, seq: null },
      // Its series has such a row already: what was accepted is kept, as a message of its own.
      { ...columns, seq: null, recurrence: null, occurrence: null },
    ];
    return insertFirst(insert, attempts) ? [] : [message.id];
  });
}

/** Numbers messages that have no number, at most so many, behind all that have one. `more`: there are others. */
export function numberMessages(database: SqliteDatabase, most: number): { readonly more: boolean } {
  const first = database.prepare<[], number>('SELECT coalesce(max(seq), 0) / 2 * 2 + 2 FROM messages_in').pluck().get();
  const rows = database
    .prepare<[number], number>('SELECT rowid FROM messages_in WHERE seq IS NULL ORDER BY rowid LIMIT ?')
    .pluck()
    .all(most);
  const update = database.prepare<[number, number]>('UPDATE messages_in SET seq = ? WHERE rowid = ?');
  for (const [at, rowid] of rows.entries()) update.run((first ?? 2) + 2 * at, rowid);
  return { more: rows.length === most };
}

function columnsOf(message: ImportedMessage): Columns {
  const instant = (ms: number | null): string | null => (ms === null ? null : formatInstant(ms));
  return {
    id: message.id,
    seq: message.seq,
    kind: message.kind,
    timestamp: formatInstant(message.timestampMs),
    status: message.status,
    process_after: instant(message.processAfterMs),
    recurrence: message.recurrence,
    series_id: message.seriesId,
    tries: message.tries,
    trigger: message.trigger ? 1 : 0,
    platform_id: message.platformId,
    channel_type: message.channelType,
    thread_id: message.threadId,
    content: message.content,
    source_session_id: message.sourceSessionId,
    on_wake: message.onWake ? 1 : 0,
    timezone: message.timezone,
    occurrence: instant(message.occurrenceMs),
    missed: message.missed,
    attempt: 0,
    deferrals: 0,
    error: message.error,
    finished_at: instant(message.finishedAtMs),
  };
}

export function insertAnswers(database: SqliteDatabase, answers: readonly ImportedAnswer[]): readonly string[] {
  const insert = inserter(database, 'messages_out');
  return answers.flatMap((answer) => {
    const columns: Columns = {
      id: answer.id,
      seq: answer.seq,
      in_reply_to: answer.inReplyTo,
      timestamp: answer.timestamp,
      deliver_after: answer.deliverAfter,
      recurrence: null,
      kind: answer.kind,
      platform_id: answer.platformId,
      channel_type: answer.channelType,
      thread_id: answer.threadId,
      content: answer.content,
    };
    return insertFirst(insert, [columns, { ...columns, seq: null }]) ? [] : [answer.id];
  });
}

export function insertDeliveries(database: SqliteDatabase, answers: readonly ImportedAnswer[]): void {
  const insert = database.prepare('INSERT OR IGNORE INTO delivered VALUES (?, ?, ?, ?)');
  for (const { id, timestamp, delivered } of answers) {
    if (delivered === null) continue;
    insert.run(id, delivered.platformId, delivered.status ?? 'delivered', delivered.at ?? timestamp);
  }
}

/** As it is: a provider's session id of another format than ours is taken for an old one. */
export function insertState(database: SqliteDatabase, rows: readonly StateRow[]): void {
  const insert = database.prepare('INSERT OR REPLACE INTO session_state (key, value, updated_at) VALUES (?, ?, ?)');
  for (const { key, value, updatedAt } of rows) insert.run(key, value, updatedAt);
}

export function insertRouting(database: SqliteDatabase, { destinations, session }: Routing): void {
  const insert = inserter(database, 'destinations');
  for (const destination of destinations) {
    if (destination['name'] === null || destination['type'] === null) continue;
    insertFirst(insert, [destination]);
  }
  if (session !== null) insertFirst(inserter(database, 'session_routing'), [{ id: 1, ...session }]);
}

type Insert = (columns: Columns) => void;

/** The first that is not in the way of another row; false: its id is taken. */
function insertFirst(insert: Insert, attempts: readonly Columns[]): boolean {
  for (const columns of attempts) {
    try {
      insert(columns);
      return true;
    } catch (error) {
      if (codeOf(error) === 'SQLITE_CONSTRAINT_PRIMARYKEY') return false;
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
    }
  }
  return false;
}

/** For rows that all have the same columns, in the same order. */
function inserter(database: SqliteDatabase, table: string): Insert {
  let statement: Database.Statement<Value[]> | undefined;
  return (columns) => {
    const names = Object.keys(columns);
    statement ??= database.prepare<Value[]>(
      `INSERT INTO ${table} ("${names.join('", "')}") VALUES (${names.map(() => '?').join(', ')})`,
    );
    statement.run(...Object.values(columns));
  };
}
