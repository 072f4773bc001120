import { isAckOfAttempt, MISSED_POLICIES } from '../../protocol/rows.js';
import { formatInstant, parseInstant } from '../../protocol/times.js';
import { NO_OUTBOUND, readAcks } from './acks.js';
import { cutCell, integerCell, integerOf, textCell, textOf } from './cells.js';
import { cellOrNull } from './check-schema.js';
import { readInbound, writeInbound } from './inbound.js';
import { checkFolders, inspectDatabase } from './inspect-file.js';
import { readInboundFacts } from './look.js';
import { readOutboundFile } from './outbound.js';
import { insertCopy } from './successors.js';
const SERIES_MAX_ROWS = 10_000;
const CONTENT_MAX_BYTES = 16 * 1_048_576;
const ERROR_MAX_BYTES = 8_192;
const LIVE = `recurrence IS NOT NULL AND status IN ('pending', 'paused')`;
/** The live rows of a session's series, by their next time; only of `series` where it is given. */
export function listSeries(settings, paths, series) {
    checkFolders(paths);
    const rows = readInbound(settings, paths, (database, shape) => readSeries(database, shape, series)) ?? [];
    return { rows: [...rows].sort((a, b) => (a.dueAtMs ?? 0) - (b.dueAtMs ?? 0)) };
}
function readSeries(database, shape, series) {
    if (!shape.has('messages_in'))
        return [];
    const cell = cellsOf(shape);
    const columns = [
        'ifnull(series_id, id) AS series',
        ...['id', 'kind', 'status', 'recurrence', 'process_after', 'timestamp'].map((column) => cell(column, textCell)),
        ...['timezone', 'missed', 'occurrence'].map((column) => cell(column, textCell)),
        cell('tries', integerCell),
        cell('content', (column) => cutCell(column, CONTENT_MAX_BYTES, CONTENT_MAX_BYTES)),
    ];
    const only = series === null ? '' : 'AND ifnull(series_id, id) = ?';
    const live = database
        .prepare(`SELECT ${columns.join(', ')} FROM messages_in WHERE ${LIVE} ${only} LIMIT ${String(SERIES_MAX_ROWS)}`)
        .all(...(series === null ? [] : [series]));
    const last = database.prepare(`SELECT status, ${cell('finished_at', textCell)} FROM messages_in
     WHERE series_id = ? AND status IN ('completed', 'failed') ORDER BY seq DESC LIMIT 1`);
    return live.map((row) => seriesOf(row, last.get(textOf(row['series']) ?? '')));
}
function seriesOf(row, last) {
    const occurrenceMs = instantOf(row['occurrence']);
    return {
        series: textOf(row['series']) ?? '',
        id: (textOf(row['id']) ?? ''),
        kind: textOf(row['kind']) ?? '',
        recurrence: textOf(row['recurrence']) ?? '',
        timezone: textOf(row['timezone']),
        missed: MISSED_POLICIES.find((policy) => policy === row['missed']) ?? 'latest',
        occurrenceMs,
        dueAtMs: instantOf(row['process_after']) ?? occurrenceMs ?? instantOf(row['timestamp']),
        paused: row['status'] === 'paused',
        tries: integerOf(row['tries']) ?? 0,
        content: textOf(row['content']) ?? '',
        last: last === undefined
            ? null
            : { status: textOf(last['status']) ?? '', finishedAtMs: instantOf(last['finished_at']) },
    };
}
/** Rows of one series, newest first. */
export function listOccurrences(settings, paths, series, limit) {
    checkFolders(paths);
    const rows = readInbound(settings, paths, (database, shape) => readOccurrences(database, shape, series, limit));
    return { rows: rows ?? [] };
}
function readOccurrences(database, shape, series, limit) {
    if (!shape.has('messages_in'))
        return [];
    const cell = cellsOf(shape);
    const columns = [
        ...['id', 'status', 'occurrence', 'finished_at', 'error_class'].map((column) => cell(column, textCell)),
        cell('tries', integerCell),
        cell('error', (column) => cutCell(column, ERROR_MAX_BYTES, ERROR_MAX_BYTES * 16)),
        `(${LIVE}) AS live`,
    ];
    return database
        .prepare(`SELECT ${columns.join(', ')} FROM messages_in WHERE series_id = ? ORDER BY seq DESC LIMIT ?`)
        .all(series, limit)
        .map((row) => ({
        id: (textOf(row['id']) ?? ''),
        status: textOf(row['status']) ?? '',
        occurrenceMs: instantOf(row['occurrence']),
        finishedAtMs: instantOf(row['finished_at']),
        tries: integerOf(row['tries']) ?? 0,
        errorClass: textOf(row['error_class']),
        error: textOf(row['error']),
        live: row['live'] === 1,
    }));
}
/** Changes a series in one transaction; the acks are read first, because what is under way is not moved. */
export function changeSeries(settings, paths, change) {
    checkFolders(paths);
    if (inspectDatabase(paths.inbound, Number.MAX_SAFE_INTEGER).kind !== 'database')
        return STALE;
    const { unfinished } = readInboundFacts(settings, paths, change.nowMs);
    const { acks } = readOutboundFile(settings, paths, (database, shape) => readAcks(database, shape, unfinished)) ?? NO_OUTBOUND;
    const row = unfinished.find(({ id }) => id === change.expect.id);
    const ack = acks.get(change.expect.id);
    if (row === undefined)
        return STALE;
    const claimed = ack !== undefined && isAckOfAttempt(row, ack);
    return writeInbound(settings, paths, (database) => {
        const written = database.transaction(() => edit(database, change, claimed)).immediate();
        return written ? { written, claimed } : STALE;
    });
}
const STALE = { written: false, why: 'stale' };
function edit(database, { expect, edit: wanted, nowMs }, claimed) {
    const { id, recurrence, timezone } = expect;
    const found = database
        .prepare(`SELECT 1 FROM messages_in WHERE id = ? AND ${LIVE} AND recurrence = ? AND timezone IS ?`)
        .get(id, recurrence, timezone);
    if (found === undefined)
        return false;
    if (wanted.kind === 'run_now') {
        insertCopy(database, id, wanted.id, nowMs);
        return true;
    }
    const set = columnsOf(wanted, claimed, nowMs);
    const names = Object.keys(set);
    database
        .prepare(`UPDATE messages_in SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE id = ?`)
        .run(...names.map((name) => set[name]), id);
    return true;
}
function columnsOf(wanted, claimed, nowMs) {
    switch (wanted.kind) {
        case 'pause':
            return { status: 'paused' };
        case 'resume':
            return { status: 'pending', ...(claimed ? {} : scheduled(wanted.nextMs)) };
        case 'set': {
            const { recurrence, timezone, missed, content, nextMs } = wanted;
            const set = { recurrence, timezone, missed, ...(content === null ? {} : { content }) };
            return claimed ? set : { ...set, ...scheduled(nextMs) };
        }
        case 'cancel':
            if (claimed)
                return { recurrence: null, status: 'pending' };
            return {
                ...{ recurrence: null, status: 'completed', finished_at: formatInstant(nowMs) },
                ...{ error: 'cancelled by the operator', error_class: 'cancelled' },
            };
    }
}
/** An occurrence of its own: what an earlier one has tried is not held against it. */
function scheduled(nextMs) {
    const next = formatInstant(nextMs);
    return { process_after: next, occurrence: next, tries: 0, deferrals: 0, error: null, error_class: null };
}
function cellsOf(shape) {
    return (column, sql) => `${cellOrNull(shape, 'messages_in', column, sql)} AS ${column}`;
}
function instantOf(cell) {
    const text = textOf(cell);
    return text === null ? null : (parseInstant(text) ?? null);
}
//# sourceMappingURL=series.js.map