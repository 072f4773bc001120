import type { ForeignAck, ForeignAnswer, ForeignMessage, ForeignSeriesRow } from '../../core/import/foreign.js';
import type { Page, Routing, StateRow, TextCells } from '../../ports/nanoclaw.js';
import { integerCell, integerOf, textCell, textOf } from '../session-files/cells.js';
import type { SqliteDatabase } from '../session-files/open-database.js';
import { cellOf, columnsOf, readCopy, requireColumns } from './read-copy.js';
import { Unreadable } from './unreadable.js';

const ROWS_PER_PAGE = 2_000;
/** A page ends after the row that reaches this. */
const PAGE_MAX_CHARS = 4 * 1024 * 1024;
const SERIES_MAX = 10_000;
const STATE_MAX = 1_000;
const STATE_MAX_BYTES = 64 * 1024;
const PLACE_MAX_BYTES = 4_096;

type Cells = Readonly<Record<string, unknown>>;
const NEEDED_IN = ['id', 'kind', 'timestamp', 'status', 'content'];
const NEEDED_OUT = ['id', 'timestamp', 'kind', 'content'];
const TEXTS = ['id', 'kind', 'timestamp'];
const PLACES = ['platform_id', 'channel_type', 'thread_id'];

/** Copies of a session's databases; either may be missing. */
export interface Mailbox {
  readonly inbound: string;
  readonly outbound: string;
}

/** Whether they are what their names say. @throws Unreadable */
export function checkInbound(copy: string): void {
  readCopy(copy, (database) => {
    if (isEmpty(database)) return;
    requireColumns(database, 'messages_in', NEEDED_IN);
    columnsOf(database, 'delivered');
  });
}

export function checkOutbound(copy: string): void {
  readCopy(copy, (database) => {
    if (isEmpty(database)) return;
    requireColumns(database, 'messages_out', NEEDED_OUT);
    for (const table of ['processing_ack', 'session_state']) columnsOf(database, table);
  });
}

/** A file that was made and not filled any more. */
function isEmpty(database: SqliteDatabase): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

export function readSeries(mailbox: Mailbox): readonly ForeignSeriesRow[] {
  return withAcks(mailbox, (database, ackOf) => {
    const columns = columnsOf(database, 'messages_in');
    if (!columns.has('recurrence')) return [];
    const names = ['id', 'series_id', 'status', 'recurrence', 'process_after'];
    const rows = database
      .prepare<[], Cells>(
        `SELECT ${names.map((name) => cellOf(columns, name, textCell)).join(', ')} FROM messages_in
         WHERE recurrence IS NOT NULL AND recurrence <> '' LIMIT ${String(SERIES_MAX + 1)}`,
      )
      .all();
    if (rows.length > SERIES_MAX) throw new Unreadable(`it has over ${String(SERIES_MAX)} rows with a recurrence`);
    return rows.flatMap((row) => {
      const id = textOf(row['id']);
      if (id === null) return [];
      return {
        id,
        seriesId: textOf(row['series_id']),
        status: textOf(row['status']),
        recurrence: textOf(row['recurrence']) ?? '(over 512 bytes)',
        processAfter: textOf(row['process_after']),
        ack: ackOf(id),
      };
    });
  });
}

export function readMessages(mailbox: Mailbox, after: number, contentMaxBytes: number): Page<ForeignMessage> {
  return withAcks(mailbox, (database, ackOf) => {
    const columns = columnsOf(database, 'messages_in');
    if (columns.size === 0) return { rows: [], next: null };
    const cells = [
      ...[...TEXTS, 'status', 'process_after', 'series_id', 'source_session_id'].map((name) =>
        cellOf(columns, name, textCell),
      ),
      ...['seq', 'tries', 'trigger', 'on_wake'].map((name) => cellOf(columns, name, integerCell)),
      ...PLACES.map((name) => cellOf(columns, name, (column) => textCell(column, PLACE_MAX_BYTES))),
      cellOf(columns, 'content', (column) => textCell(column, contentMaxBytes)),
    ];
    return pageOf(database, 'messages_in', cells, after, (row, mark) => {
      const id = textOf(row['id']);
      return {
        mark,
        id,
        seq: integerOf(row['seq']),
        kind: textOf(row['kind']),
        timestamp: textOf(row['timestamp']),
        status: textOf(row['status']),
        processAfter: textOf(row['process_after']),
        seriesId: textOf(row['series_id']),
        tries: integerOf(row['tries']),
        trigger: integerOf(row['trigger']),
        onWake: integerOf(row['on_wake']),
        ...placeOf(row),
        sourceSessionId: textOf(row['source_session_id']),
        content: textOf(row['content']),
        ack: id === null ? null : ackOf(id),
      };
    });
  });
}

export function readAnswers(mailbox: Mailbox, after: number, contentMaxBytes: number): Page<ForeignAnswer> {
  const nothing: Page<ForeignAnswer> = { rows: [], next: null };
  const read = (deliveredOf: (id: string) => ForeignAnswer['delivered']): Page<ForeignAnswer> | undefined =>
    readCopy(mailbox.outbound, (database) => {
      const columns = columnsOf(database, 'messages_out');
      if (columns.size === 0) return nothing;
      const cells = [
        ...[...TEXTS, 'in_reply_to', 'deliver_after'].map((name) => cellOf(columns, name, textCell)),
        cellOf(columns, 'seq', integerCell),
        ...PLACES.map((name) => cellOf(columns, name, (column) => textCell(column, PLACE_MAX_BYTES))),
        cellOf(columns, 'content', (column) => textCell(column, contentMaxBytes)),
      ];
      return pageOf(database, 'messages_out', cells, after, (row, mark) => {
        const id = textOf(row['id']);
        return {
          mark,
          id,
          seq: integerOf(row['seq']),
          inReplyTo: textOf(row['in_reply_to']),
          timestamp: textOf(row['timestamp']),
          deliverAfter: textOf(row['deliver_after']),
          kind: textOf(row['kind']),
          ...placeOf(row),
          content: textOf(row['content']),
          delivered: id === null ? null : deliveredOf(id),
        };
      });
    });
  const page = readCopy(mailbox.inbound, (inbound) => read(deliveries(inbound)));
  return page ?? read(() => null) ?? nothing;
}

export function readState(mailbox: Mailbox): readonly StateRow[] {
  const rows = readCopy(mailbox.outbound, (database) => {
    const columns = columnsOf(database, 'session_state');
    if (!columns.has('key') || !columns.has('value')) return [];
    const cells = [
      cellOf(columns, 'key', textCell),
      cellOf(columns, 'value', (column) => textCell(column, STATE_MAX_BYTES)),
      cellOf(columns, 'updated_at', textCell),
    ];
    return database
      .prepare<[], Cells>(`SELECT ${cells.join(', ')} FROM session_state LIMIT ${String(STATE_MAX)}`)
      .all();
  });
  return (rows ?? []).flatMap((row) => {
    const key = textOf(row['key']);
    const value = textOf(row['value']);
    return key === null || value === null ? [] : { key, value, updatedAt: textOf(row['updated_at']) ?? '' };
  });
}

export const DESTINATION_COLUMNS = ['name', 'display_name', 'type', 'channel_type', 'platform_id', 'agent_group_id'];
export const ROUTING_COLUMNS = ['channel_type', 'platform_id', 'thread_id'];

export function readRouting({ inbound }: Mailbox): Routing {
  const routing = readCopy(inbound, (database) => ({
    destinations: readTexts(database, 'destinations', DESTINATION_COLUMNS),
    session: readTexts(database, 'session_routing', ROUTING_COLUMNS)[0] ?? null,
  }));
  return routing ?? { destinations: [], session: null };
}

function readTexts(database: SqliteDatabase, table: string, names: readonly string[]): readonly TextCells[] {
  const columns = columnsOf(database, table);
  if (columns.size === 0) return [];
  const cells = names.map((name) => cellOf(columns, name, (column) => textCell(column, PLACE_MAX_BYTES)));
  const rows = database.prepare<[], Cells>(`SELECT ${cells.join(', ')} FROM ${table} LIMIT ${String(STATE_MAX)}`).all();
  return rows.map((row) => Object.fromEntries(names.map((name) => [name, textOf(row[name])])));
}

function placeOf(row: Cells) {
  return {
    platformId: textOf(row['platform_id']),
    channelType: textOf(row['channel_type']),
    threadId: textOf(row['thread_id']),
  };
}

function pageOf<T>(
  database: SqliteDatabase,
  table: string,
  cells: readonly string[],
  after: number,
  rowOf: (row: Cells, mark: number) => T,
): Page<T> {
  const query = database.prepare<[number], Cells>(
    `SELECT rowid AS mark, ${cells.join(', ')} FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ${String(ROWS_PER_PAGE)}`,
  );
  const rows: T[] = [];
  let chars = 0;
  for (const row of query.iterate(after)) {
    const mark = Number(row['mark']);
    rows.push(rowOf(row, mark));
    chars += textOf(row['content'])?.length ?? 0;
    if (chars >= PAGE_MAX_CHARS || rows.length === ROWS_PER_PAGE) return { rows, next: mark };
  }
  return { rows, next: null };
}

function withAcks<T>(
  { inbound, outbound }: Mailbox,
  work: (database: SqliteDatabase, ackOf: (id: string) => ForeignAck | null) => T,
): T {
  const result = readCopy(inbound, (database) => {
    const acked = readCopy(outbound, (other) => ({ result: work(database, acks(other)) }));
    return acked ?? { result: work(database, () => null) };
  });
  if (result === undefined) throw new Unreadable('inbound.db is not there');
  return result.result;
}

function acks(database: SqliteDatabase): (id: string) => ForeignAck | null {
  const columns = columnsOf(database, 'processing_ack');
  if (!columns.has('message_id') || !columns.has('status')) return () => null;
  const cells = ['status', 'status_changed'].map((name) => cellOf(columns, name, textCell));
  const query = database.prepare<[string], Cells>(
    `SELECT ${cells.join(', ')} FROM processing_ack WHERE message_id = ? LIMIT 1`,
  );
  return (id) => {
    const row = query.get(id);
    return row === undefined ? null : { status: textOf(row['status']), changedAt: textOf(row['status_changed']) };
  };
}

function deliveries(database: SqliteDatabase): (id: string) => ForeignAnswer['delivered'] {
  const columns = columnsOf(database, 'delivered');
  if (!columns.has('message_out_id')) return () => null;
  const cells = ['delivered_at', 'platform_message_id', 'status'].map((name) => cellOf(columns, name, textCell));
  const query = database.prepare<[string], Cells>(
    `SELECT ${cells.join(', ')} FROM delivered WHERE message_out_id = ? LIMIT 1`,
  );
  return (id) => {
    const row = query.get(id);
    if (row === undefined) return null;
    return {
      at: textOf(row['delivered_at']),
      platformId: textOf(row['platform_message_id']),
      status: textOf(row['status']),
    };
  };
}
