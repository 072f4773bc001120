import { createHash } from 'node:crypto';
import type { GivenAnswer } from '../../core/duplicates.js';
import { parseInstant } from '../../protocol/times.js';
import { cutCell, textCell, textOf } from './cells.js';
import { checkFolders } from './inspect-file.js';
import type { FilesSettings, SqliteDatabase } from './open-database.js';
import { readOutboundFile } from './outbound.js';
import type { SessionPaths } from './session-paths.js';

const ROWS_MAX = 2_000;
const CONTENT_MAX_BYTES = 16 * 1_048_576;
const CONTENT_LOAD_MAX_BYTES = 64 * 1_048_576;

/** What was answered to some messages, oldest first; of very many the first ones. */
export function answersTo(
  settings: FilesSettings,
  paths: SessionPaths,
  messages: readonly string[],
): { readonly rows: readonly GivenAnswer[] } {
  checkFolders(paths);
  const rows = readOutboundFile(settings, paths, (database, shape) =>
    shape.has('messages_out') && messages.length > 0 ? read(database, messages) : [],
  );
  return { rows: rows ?? [] };
}

function read(database: SqliteDatabase, messages: readonly string[]): readonly GivenAnswer[] {
  const query = database.prepare<string[], readonly unknown[]>(
    `SELECT ${textCell('id')}, ${textCell('in_reply_to')}, ${textCell('timestamp')},
       ${cutCell('content', CONTENT_MAX_BYTES, CONTENT_LOAD_MAX_BYTES)}
     FROM messages_out WHERE in_reply_to IN (${messages.map(() => '?').join(', ')})
     ORDER BY rowid LIMIT ${String(ROWS_MAX)}`,
  );
  const found: GivenAnswer[] = [];
  for (const [idCell, repliedCell, timeCell, contentCell] of query.raw().iterate(...messages)) {
    const [id, inReplyTo, time, content] = [idCell, repliedCell, timeCell, contentCell].map(textOf);
    if (typeof id !== 'string' || typeof inReplyTo !== 'string' || typeof content !== 'string') continue;
    const timestampMs = typeof time === 'string' ? (parseInstant(time) ?? null) : null;
    found.push({ id, inReplyTo, timestampMs, digest: createHash('sha256').update(content).digest('base64') });
  }
  return found;
}
