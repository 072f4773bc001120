import { formatInstant } from '../../protocol/times.js';
import { codeOf } from './finding.js';
export function findParent(database, id) {
    return database.prepare('SELECT status, recurrence FROM messages_in WHERE id = ?').get(id);
}
const INSERT = `INSERT INTO messages_in
  (id, seq, kind, timestamp, status, process_after, recurrence, series_id, tries, "trigger", platform_id, channel_type,
   thread_id, content, source_session_id, on_wake, timezone, occurrence, missed, attempt, deferrals)
  SELECT @id, (SELECT (ifnull(max(seq), 0) / 2 + 1) * 2 FROM messages_in), kind, @made, @status, @at, @recurrence,
    ifnull(series_id, id), 0, "trigger", platform_id, channel_type, thread_id, content, source_session_id, on_wake, timezone,
    @occurrence, missed, 0, 0
  FROM messages_in WHERE id = @parent`;
/**
 * Puts further occurrences of a series behind what is there, inside a transaction of the caller. The live one takes the
 * recurrence over. Of a paused series nothing runs: the first of them is its live row, and paused, so that it goes on
 * from there by its policy when it is resumed (F11).
 */
export function insertSuccessors(database, { id: parentId, set, successors }, parent) {
    const insert = database.prepare(INSERT);
    const isPaused = parent.status === 'paused';
    const all = successors ?? [];
    const rows = isPaused ? all.slice(0, 1).map((first) => ({ ...first, live: true })) : all;
    for (const { id, occurrenceMs, live } of rows) {
        const at = formatInstant(occurrenceMs);
        const row = {
            parent: parentId,
            at,
            made: typeof set.finishedAtMs === 'number' ? formatInstant(set.finishedAtMs) : at,
            status: isPaused ? 'paused' : 'pending',
            recurrence: live ? parent.recurrence : null,
        };
        const put = (name, occurrence) => isUnique(() => insert.run({ ...row, id: name, occurrence }));
        // An occurrence that stands in the file already is not put in twice, but a series never ends over it.
        const isDone = put(id, at) || !live || hasLiveRow(database, parentId);
        for (let copy = 2; !isDone && !put(`${id}.${String(copy)}`, null); copy += 1)
            ;
    }
}
/** One more of what a row says, due at once and of no scheduled time. */
export function insertCopy(database, parent, id, atMs) {
    const at = formatInstant(atMs);
    const row = { id, parent, at, made: at, status: 'pending', recurrence: null, occurrence: null };
    database.prepare(INSERT).run(row);
}
/** False, and nothing written, where a row of that name or occurrence is there already. */
export function isUnique(write) {
    try {
        write();
        return true;
    }
    catch (error) {
        if (codeOf(error) === 'SQLITE_CONSTRAINT_UNIQUE' || codeOf(error) === 'SQLITE_CONSTRAINT_PRIMARYKEY')
            return false;
        throw error;
    }
}
/** Older files may hold a second live row of a series. */
function hasLiveRow(database, id) {
    const row = database
        .prepare(`SELECT 1 FROM messages_in WHERE recurrence IS NOT NULL AND status IN ('pending', 'paused')
         AND series_id = (SELECT ifnull(series_id, id) FROM messages_in WHERE id = ?)`)
        .get(id);
    return row !== undefined;
}
//# sourceMappingURL=successors.js.map