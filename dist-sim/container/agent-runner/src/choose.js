/** Contents of one turn together; a single message may be larger. */
const MAX_TURN_BYTES = 32 * 1024 * 1024;
/** Context rows of one turn; the others ride with the next. */
const MAX_CONTEXT_ROWS = 500;
/**
 * Which rows make the next turn. Triggering rows that are due and unclaimed, oldest due first, then by seq; retried ones
 * (`tries` > 0) one at a time. Due context rows with a lower seq ride along and never take a triggering row's place.
 */
export function chooseTurn(pending, options) {
    const { nowMs } = options;
    const isDue = (row) => row.processAfterMs === null || row.processAfterMs <= nowMs;
    const isFree = (row) => (!row.onWake || options.isOnWakeGiven(row)) && !options.isAcked(row);
    const due = orderByDue(pending.filter((row) => row.trigger && isDue(row) && isFree(row)), nowMs);
    const nextDueAtMs = earliest(pending.filter((row) => row.trigger && !row.onWake && !isDue(row)));
    const first = due[0];
    if (first === undefined)
        return { rows: [], nextDueAtMs };
    const batch = takeBatch(first, due, options.maxClaims);
    const contextOf = (claims) => {
        const below = Math.max(...claims.map((row) => row.seq));
        const context = pending.filter((row) => !row.trigger && row.seq < below && isDue(row) && isFree(row));
        return takeBytes(context.sort(bySeq).slice(0, MAX_CONTEXT_ROWS));
    };
    const context = contextOf(batch);
    // A context row that was in an unfinished turn may be the poison: it must not take a batch along.
    if (context.some((row) => row.tries > 0))
        return { rows: [...contextOf([first]), first], nextDueAtMs };
    return { rows: [...context, ...batch], nextDueAtMs };
}
function takeBatch(first, due, maxClaims) {
    if (first.tries > 0)
        return [first];
    const retried = due.findIndex((row) => row.tries > 0);
    const fresh = retried < 0 ? due : due.slice(0, retried);
    return takeBytes(fresh.slice(0, maxClaims));
}
/** The leading rows whose contents fit into one turn; at least one. */
function takeBytes(rows) {
    let bytes = 0;
    const over = rows.findIndex((row, index) => {
        bytes += row.bytes;
        return index > 0 && bytes > MAX_TURN_BYTES;
    });
    return over < 0 ? rows : rows.slice(0, over);
}
/**
 * Oldest due first. A row without `process_after` is due since its timestamp, but never before a row like it with a
 * lower seq: a clock that was set back does not reorder what people sent.
 */
function orderByDue(rows, nowMs) {
    let latestMs = 0;
    const dated = [...rows].sort(bySeq).map((row) => {
        if (row.processAfterMs !== null)
            return { row, dueAtMs: row.processAfterMs };
        latestMs = Math.max(latestMs, Math.min(row.timestampMs ?? 0, nowMs));
        return { row, dueAtMs: latestMs };
    });
    // The sort is stable: seq decides between equals.
    return dated.sort((a, b) => a.dueAtMs - b.dueAtMs).map(({ row }) => row);
}
function bySeq(a, b) {
    return a.seq - b.seq;
}
function earliest(rows) {
    return rows.reduce((least, { processAfterMs }) => {
        if (processAfterMs === null)
            return least;
        return least === null ? processAfterMs : Math.min(least, processAfterMs);
    }, null);
}
//# sourceMappingURL=choose.js.map