import { RowReader } from './rows.js';
/**
 * Each branch is read in the order of a partial index of its own, as far as the limit; NULL comes first there, and is
 * 0 in the union. Only what comes after @afterAt and @afterAddress, the end of the page before.
 */
export const DUE_SESSIONS = `
SELECT address, min(at) AS at FROM (
  SELECT * FROM (
    SELECT address, next_due_at AS at FROM sessions
    WHERE status = 'active' AND quarantined_at IS NULL AND next_due_at IS NOT NULL AND next_due_at <= @now
      AND (next_due_at, address) > (@afterAt, @afterAddress)
    ORDER BY next_due_at, address LIMIT @limit)
  UNION ALL
  SELECT * FROM (
    SELECT address, coalesce(next_due_at, 0) AS at FROM sessions
    WHERE processing > 0 AND quarantined_at IS NULL
      AND (coalesce(next_due_at, 0), address) > (@afterAt, @afterAddress)
    ORDER BY next_due_at, address LIMIT @limit)
  UNION ALL
  SELECT * FROM (
    SELECT address, min(coalesce(next_due_at, 0), @now) AS at FROM sessions
    WHERE spooled > 0 AND status <> 'closed' AND quarantined_at IS NULL
      AND (min(coalesce(next_due_at, 0), @now), address) > (@afterAt, @afterAddress)
    ORDER BY next_due_at, address LIMIT @limit)
) GROUP BY address ORDER BY 2, address LIMIT @limit`;
export const NEXT_DUE_AFTER = `SELECT next_due_at AS at FROM sessions
  WHERE status = 'active' AND quarantined_at IS NULL AND next_due_at IS NOT NULL AND next_due_at > ?
  ORDER BY next_due_at LIMIT 1`;
export const DUE_BETWEEN = `SELECT address FROM sessions
  WHERE status = 'active' AND quarantined_at IS NULL AND next_due_at IS NOT NULL
    AND next_due_at > @after AND next_due_at <= @until
  ORDER BY next_due_at, address LIMIT @limit`;
export const TOTALS = 'SELECT *, (SELECT count(*) FROM guards WHERE held_since IS NOT NULL) AS held FROM totals';
export function due(connection) {
    const selectDue = connection.prepare(DUE_SESSIONS);
    const selectBetween = connection.prepare(DUE_BETWEEN);
    const selectNext = connection.prepare(NEXT_DUE_AFTER);
    const selectSlice = connection.prepare(`SELECT address, signature FROM sessions WHERE address > ? AND status <> 'closed' AND quarantined_at IS NULL
     ORDER BY address LIMIT ?`);
    const selectTotals = connection.prepare(TOTALS);
    const page = (nowMs, limit, after) => connection.read(() => {
        const mark = { afterAt: after.atMs, afterAddress: after.session };
        return selectDue.all({ now: nowMs, limit, ...mark }).map(dueRowOf);
    });
    function* eachDue(nowMs) {
        let after = BEFORE_ALL;
        while (after !== undefined) {
            // By pages: an open cursor would forbid every write on this connection.
            const rows = page(nowMs, PAGE_ROWS, after);
            yield rows.map(({ session }) => session);
            after = rows.length < PAGE_ROWS ? undefined : rows.at(-1);
        }
    }
    return {
        dueSessions: (nowMs, limit) => page(nowMs, limit, BEFORE_ALL).map(({ session }) => session),
        eachDue,
        dueBetween: (afterMs, untilMs, limit) => connection.read(() => selectBetween.all({ after: afterMs, until: untilMs, limit }).map(addressOf)),
        nextDueAfter: (nowMs) => connection.read(() => {
            const row = selectNext.get(nowMs);
            return row === undefined ? undefined : new RowReader('sessions', row).integer('at');
        }),
        slice: (after, limit) => connection.read(() => selectSlice.all(after ?? '', limit).map((row) => {
            const cells = new RowReader('sessions', row);
            return { session: cells.address('address').address, signature: cells.textOrNull('signature') };
        })),
        totals: () => connection.read(() => {
            const cells = new RowReader('totals', selectTotals.get());
            return {
                sessions: {
                    active: cells.count('active'),
                    suspended: cells.count('suspended'),
                    closed: cells.count('closed'),
                    held: cells.count('held'),
                    quarantined: cells.count('quarantined'),
                },
                messages: {
                    spooled: cells.count('spooled'),
                    pending: cells.count('pending'),
                    processing: cells.count('processing'),
                    completed: cells.count('completed'),
                    failed: cells.count('failed'),
                    paused: cells.count('paused'),
                },
            };
        }),
    };
}
const BEFORE_ALL = { session: '', atMs: -1 };
/** A few milliseconds. */
const PAGE_ROWS = 1_000;
function dueRowOf(row) {
    const cells = new RowReader('sessions', row);
    return { session: cells.address('address').address, atMs: cells.integer('at') };
}
function addressOf(row) {
    return new RowReader('sessions', row).address('address').address;
}
//# sourceMappingURL=due.js.map