import type { NewMessage } from '../../ports/session-files.js';
import type { MessageId } from '../../protocol/address.js';
import { formatInstant } from '../../protocol/times.js';
import { createSession } from './create.js';
import { codeOf } from './finding.js';
import { writeInbound, type Upgraded } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { moveAttachments } from './move-attachments.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import type { SessionPaths } from './session-paths.js';

const INSERT = `INSERT INTO messages_in
  (id, seq, kind, timestamp, status, process_after, recurrence, series_id, tries, "trigger", content, on_wake, timezone,
   occurrence, missed, attempt, deferrals)
  VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (id) DO NOTHING`;

export interface Delivered {
  readonly inserted: number;
  readonly lostFiles: number;
  /** Not delivered: another message has this id. */
  readonly taken: readonly MessageId[];
}

/** Puts messages into inbound.db in one transaction, in the order given, behind what is there. Known ids are skipped. */
export function deliverMessages(
  settings: FilesSettings,
  paths: SessionPaths,
  messages: readonly NewMessage[],
): Delivered & Upgraded {
  if (!isMade(paths)) createSession(settings, paths);
  const lostFiles = moveAttachments(settings, paths, messages);
  return writeInbound(settings, paths, (database) => ({
    ...database.transaction(() => insertAll(database, messages)).immediate(),
    lostFiles,
  }));
}

/** Whether inbound.db is there: without it no container can be at work, and both files may be made. */
function isMade(paths: SessionPaths): boolean {
  try {
    checkFolders(paths);
  } catch {
    return false; // making it says what is wrong
  }
  return inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind === 'database';
}

function insertAll(database: SqliteDatabase, messages: readonly NewMessage[]): Omit<Delivered, 'lostFiles'> {
  const insert = database.prepare(INSERT);
  const last = database.prepare<[], { readonly seq: number | null }>('SELECT max(seq) AS seq FROM messages_in').get();
  let seq = nextEven(last?.seq ?? 0);
  // When it was written and its kind never change.
  const findSame = database.prepare('SELECT 1 FROM messages_in WHERE id = ? AND timestamp = ? AND kind = ?');
  const taken: MessageId[] = [];
  let inserted = 0;
  for (const message of messages) {
    const added = insertOne((series) => insert.run(...valuesOf(message, seq, series)).changes);
    if (added === 0) {
      const isSame = findSame.get(message.id, formatInstant(message.timestampMs), message.kind) !== undefined;
      if (!isSame) taken.push(message.id);
      continue;
    }
    inserted += added;
    seq += 2;
  }
  return { inserted, taken };
}

/** An occurrence that its series already has is kept as a message of its own: it was accepted. */
function insertOne(run: (series: 'in_series' | 'one_shot') => number): number {
  try {
    return run('in_series');
  } catch (error) {
    if (codeOf(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
    return run('one_shot');
  }
}

function nextEven(seq: number): number {
  return seq + (seq % 2 === 0 ? 2 : 1);
}

function valuesOf(message: NewMessage, seq: number, series: 'in_series' | 'one_shot'): (string | number | null)[] {
  const inSeries = series === 'in_series';
  return [
    message.id,
    seq,
    message.kind,
    formatInstant(message.timestampMs),
    textOrNull(message.processAfterMs),
    inSeries ? message.recurrence : null,
    message.seriesId,
    message.trigger ? 1 : 0,
    message.content,
    message.onWake ? 1 : 0,
    message.timezone,
    inSeries ? textOrNull(message.occurrenceMs) : null,
    message.missed,
  ];
}

function textOrNull(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}
