import type { MessageId } from '../../protocol/address.js';
import type { MessageState, Purged, StoredMessage } from '../../ports/session-files.js';
import { MESSAGE_STATUSES, type MessageStatus } from '../../protocol/rows.js';
import { formatInstant, parseInstant } from '../../protocol/times.js';
import { cutCell, integerCell, integerOf, textCell, textOf } from './cells.js';
import { cellOrNull, type Shape } from './check-schema.js';
import { readInbound, writeInbound, type Upgraded } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { countDead, deadLetters } from './messages.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import type { SessionPaths } from './session-paths.js';

/** A message's content is cut above this, and not loaded at all above the second. */
const CONTENT_MAX_BYTES = 16 * 1_048_576;
const CONTENT_LOAD_MAX_BYTES = 256 * 1_048_576;

const COLUMNS: Readonly<Record<string, (column: string) => string>> = {
  id: (column) => `"${column}"`,
  kind: textCell,
  status: textCell,
  tries: integerCell,
  attempt: integerCell,
  deferrals: integerCell,
  error_class: textCell,
  error: (column) => cutCell(column, 8_192, 1_048_576),
  timestamp: textCell,
  process_after: textCell,
  finished_at: textCell,
  purged_at: textCell,
  series_id: textCell,
  occurrence: textCell,
  content: (column) => cutCell(column, CONTENT_MAX_BYTES, CONTENT_LOAD_MAX_BYTES),
};

/** One message of whatever status; null where there is none of this id. */
export function readMessage(
  settings: FilesSettings,
  paths: SessionPaths,
  id: MessageId,
): { readonly message: StoredMessage | null } {
  checkFolders(paths);
  const message = readInbound(settings, paths, (database, shape) => findMessage(database, shape, id));
  return { message: message ?? null };
}

function findMessage(database: SqliteDatabase, shape: Shape, id: MessageId): StoredMessage | undefined {
  if (!shape.has('messages_in')) return undefined;
  const columns = Object.entries(COLUMNS).map(
    ([column, sql]) => `${cellOrNull(shape, 'messages_in', column, sql)} AS ${column}`,
  );
  const row = database
    .prepare<[string], Readonly<Record<string, unknown>>>(
      `SELECT ${columns.join(', ')}, octet_length(content) AS bytes FROM messages_in WHERE id = ?`,
    )
    .get(id);
  if (row === undefined) return undefined;
  const at = (column: string): number | null => instantOf(row[column]);
  return {
    id,
    kind: textOf(row['kind']) ?? '',
    status: statusOf(row['status']),
    tries: integerOf(row['tries']) ?? 0,
    attempt: integerOf(row['attempt']) ?? 0,
    deferrals: integerOf(row['deferrals']) ?? 0,
    errorClass: textOf(row['error_class']),
    error: textOf(row['error']),
    timestampMs: at('timestamp') ?? 0,
    processAfterMs: at('process_after'),
    finishedAtMs: at('finished_at'),
    purgedAtMs: at('purged_at'),
    seriesId: textOf(row['series_id']),
    occurrenceMs: at('occurrence'),
    content: textOf(row['content']) ?? '',
    truncated: (integerOf(row['bytes']) ?? 0) > CONTENT_MAX_BYTES,
  };
}

/** What has become of these messages. */
export function readStates(
  settings: FilesSettings,
  paths: SessionPaths,
  ids: readonly MessageId[],
): { readonly rows: readonly MessageState[] } {
  checkFolders(paths);
  const rows = readInbound(settings, paths, (database, shape) => {
    if (!shape.has('messages_in')) return [];
    const cell = (column: string): string => cellOrNull(shape, 'messages_in', column, (name) => `"${name}"`);
    const find = database
      .prepare<[string], readonly [status: unknown, attempt: unknown, purgedAt: unknown]>(
        `SELECT status, ${cell('attempt')}, ${cell('purged_at')} FROM messages_in WHERE id = ?`,
      )
      .raw();
    return [...new Set(ids)].flatMap((id): MessageState[] => {
      const row = find.get(id);
      if (row === undefined) return [];
      const [status, attempt, purgedAt] = row;
      return [{ id, status: statusOf(status), attempt: integerOf(attempt) ?? 0, purgedAtMs: instantOf(purgedAt) }];
    });
  });
  return { rows: rows ?? [] };
}

/** Marks dead letters as purged, all in one transaction; the rows stay. */
export function purgeMessages(
  settings: FilesSettings,
  paths: SessionPaths,
  ids: readonly MessageId[],
  nowMs: number,
): Purged & Partial<Upgraded> {
  checkFolders(paths);
  const isThere = inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind === 'database';
  if (!isThere) return { purged: [], failed: 0, hidden: 0 };
  return writeInbound(settings, paths, (database, shape) => {
    const hide = database.prepare(`UPDATE messages_in SET purged_at = ? WHERE id = ? AND ${deadLetters(shape)}`);
    const at = formatInstant(nowMs);
    const purged = database.transaction(() => ids.filter((id) => hide.run(at, id).changes > 0)).immediate();
    return { purged, ...countDead(database, shape) };
  });
}

function statusOf(cell: unknown): MessageStatus {
  return MESSAGE_STATUSES.find((known) => known === cell) ?? 'pending';
}

function instantOf(cell: unknown): number | null {
  const text = textOf(cell);
  return text === null ? null : (parseInstant(text) ?? null);
}
