import { parseInstant } from '../../protocol/times.js';
import { cutCell, integerCell, integerOf, textCell, textOf } from './cells.js';
import { cellOrNull } from './check-schema.js';
import { readInbound } from './inbound.js';
import { checkFolders } from './inspect-file.js';
import { deadLetters } from './messages.js';
import { listOutbox } from './outbox.js';
import { readOutboundFile } from './outbound.js';
const FAILED_MAX_ROWS = 10_000;
const REPLIES_MAX_ROWS = 1_000;
/** An answer is cut above this, and not loaded at all above the second. */
const CONTENT_MAX_BYTES = 16 * 1_048_576;
const CONTENT_LOAD_MAX_BYTES = 64 * 1_048_576;
/** A list of answers ends after the one that reaches this. */
const REPLIES_MAX_BYTES = 4 * 1_048_576;
/** Rows that ended `failed`, newest first; purged ones only if asked for. */
export function listFailed(settings, paths, limit, withPurged) {
    checkFolders(paths);
    const rows = readInbound(settings, paths, (database, shape) => readFailed(database, shape, withPurged)) ?? [];
    return { rows: rows.slice(0, limit) };
}
function readFailed(database, shape, withPurged) {
    if (!shape.has('messages_in'))
        return [];
    const cell = (column, sql) => `${cellOrNull(shape, 'messages_in', column, sql)} AS ${column}`;
    const columns = [
        'id',
        'kind',
        cell('tries', integerCell),
        cell('attempt', integerCell),
        cell('error_class', textCell),
        cell('error', (column) => cutCell(column, 8_192, 1_048_576)),
        cell('finished_at', textCell),
        cell('timestamp', textCell),
        cell('purged_at', textCell),
    ];
    const which = withPurged ? "status = 'failed'" : deadLetters(shape);
    const rows = database
        .prepare(`SELECT ${columns.join(', ')} FROM messages_in WHERE ${which} ORDER BY seq DESC LIMIT ${String(FAILED_MAX_ROWS)}`)
        .all();
    const endedMs = (row) => row.finishedAtMs ?? row.timestampMs;
    return rows.map(failedOf).sort((a, b) => endedMs(b) - endedMs(a));
}
function failedOf(row) {
    return {
        id: row.id,
        kind: row.kind,
        tries: integerOf(row.tries) ?? 0,
        attempt: integerOf(row.attempt) ?? 0,
        errorClass: textOf(row.error_class),
        error: textOf(row.error),
        finishedAtMs: instantOf(row.finished_at),
        timestampMs: instantOf(row.timestamp) ?? 0,
        purgedAtMs: instantOf(row.purged_at),
    };
}
/** Answers after a mark, oldest first; fewer than `limit` when they are long: go on from the mark. */
export function listReplies(settings, paths, after, limit) {
    checkFolders(paths);
    const read = (database, shape) => shape.has('messages_out') ? readReplies(database, after, Math.min(limit, REPLIES_MAX_ROWS)) : NO_REPLIES;
    const { rows, mark } = readOutboundFile(settings, paths, read) ?? NO_REPLIES;
    const found = listOutbox(settings, paths, rows.map(({ id }) => id));
    return { rows: rows.map((row) => withFiles(row, found.get(row.id))), mark: mark ?? after };
}
const NO_REPLIES = { rows: [], mark: undefined };
function withFiles(reply, files) {
    return files === undefined ? reply : { ...reply, files };
}
function readReplies(database, after, limit) {
    const query = database.prepare(`SELECT rowid AS mark, ${textCell('id')} AS id, ${textCell('in_reply_to')} AS in_reply_to,
       ${textCell('timestamp')} AS timestamp, ${textCell('kind')} AS kind, octet_length(content) AS bytes,
       ${cutCell('content', CONTENT_MAX_BYTES, CONTENT_LOAD_MAX_BYTES)} AS content
     FROM messages_out WHERE rowid > ? AND rowid <= ${String(Number.MAX_SAFE_INTEGER)} ORDER BY rowid LIMIT ?`);
    const rows = [];
    let bytes = 0;
    let mark;
    for (const row of query.iterate(after, limit)) {
        const reply = replyOf(row);
        rows.push(reply);
        mark = row.mark;
        bytes += reply.content.length;
        if (bytes >= REPLIES_MAX_BYTES)
            break;
    }
    return { rows, mark };
}
function replyOf(row) {
    return {
        id: textOf(row.id) ?? '',
        inReplyTo: textOf(row.in_reply_to),
        timestamp: textOf(row.timestamp) ?? '',
        timestampMs: instantOf(row.timestamp),
        kind: textOf(row.kind) ?? '',
        content: textOf(row.content) ?? '',
        truncated: (row.bytes ?? 0) > CONTENT_MAX_BYTES,
    };
}
function instantOf(cell) {
    const text = textOf(cell);
    return text === null ? null : (parseInstant(text) ?? null);
}
//# sourceMappingURL=read-lists.js.map