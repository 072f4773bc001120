import { INBOUND_INDEXES, INBOUND_OPTIONAL_COLUMNS, INBOUND_SCHEMA } from '../../protocol/schema.js';
import { parseInstant } from '../../protocol/times.js';
import { checkSchema } from './check-schema.js';
import { busy, Finding } from './finding.js';
import { withDatabase } from './open-database.js';
/**
 * Reads inbound.db read-only. A hot journal, which only a killed host leaves behind, is rolled back first: the host is
 * the file's only writer. undefined when there is no such file, or nothing in it.
 */
export function readInbound(settings, paths, work) {
    const read = () => withDatabase(settings, paths, 'inbound.db', 'read', (database) => work(database, checkSchema(database, 'inbound.db')));
    try {
        return read();
    }
    catch (error) {
        if (!isHotJournal(error))
            throw error;
        rollBackInbound(settings, paths);
        return read();
    }
}
/** Whether a read-only open met a journal that must be rolled back first. */
export function isHotJournal(error) {
    return (error instanceof Finding &&
        error.outcome.kind === 'busy' &&
        /^SQLITE_(READONLY_ROLLBACK|CANTOPEN)/.test(error.outcome.detail));
}
export function rollBackInbound(settings, paths) {
    withDatabase(settings, paths, 'inbound.db', 'write', (database) => {
        database.prepare('SELECT count(*) FROM sqlite_schema').get();
    });
}
/** Works on inbound.db through a writing handle, brought up to date first. The file must be there. */
export function writeInbound(settings, paths, work) {
    const result = withDatabase(settings, paths, 'inbound.db', 'write', (database) => {
        const upgraded = upgradeInbound(database);
        return { ...work(database, checkSchema(database, 'inbound.db')), ...upgraded };
    });
    if (result === undefined)
        throw busy('inbound.db', 'vanished');
    return result;
}
/** Shapes that need nothing any more; told by object identity, since equal schema texts give the same shape. */
const current = new WeakSet();
/** Adds the tables, columns and indexes that an empty, older or foreign file lacks. */
export function upgradeInbound(database) {
    const shape = checkSchema(database, 'inbound.db');
    if (current.has(shape))
        return { duplicates: 0 };
    const upgrade = database.transaction(() => {
        database.exec(INBOUND_SCHEMA);
        const columns = checkSchema(database, 'inbound.db').get('messages_in');
        for (const [column, declaration] of Object.entries(INBOUND_OPTIONAL_COLUMNS)) {
            if (columns?.has(column) !== true)
                database.exec(`ALTER TABLE messages_in ADD COLUMN ${column} ${declaration}`);
        }
        const duplicates = retireDuplicates(database);
        database.exec(INBOUND_INDEXES);
        return duplicates;
    });
    const duplicates = upgrade.immediate();
    current.add(checkSchema(database, 'inbound.db'));
    return { duplicates };
}
function retireDuplicates(database) {
    const live = database
        .prepare(`SELECT rowid, ifnull(process_after, timestamp) AS at, series_id AS key FROM messages_in
       WHERE recurrence IS NOT NULL AND status IN ('pending', 'paused') AND series_id IS NOT NULL`)
        .all();
    const retire = database.prepare('UPDATE messages_in SET recurrence = NULL WHERE rowid = ?');
    const later = laterOfEach(live);
    for (const rowid of later)
        retire.run(rowid);
    const fired = database
        .prepare(`SELECT rowid, timestamp AS at, json_array(series_id, occurrence) AS key FROM messages_in
       WHERE series_id IS NOT NULL AND occurrence IS NOT NULL`)
        .all();
    const forget = database.prepare('UPDATE messages_in SET occurrence = NULL, recurrence = NULL WHERE rowid = ?');
    const twice = laterOfEach(fired);
    for (const rowid of twice)
        forget.run(rowid);
    return later.length + twice.length;
}
/** All but the earliest of each key. */
function laterOfEach(rows) {
    const atMs = (row) => (row.at === null ? undefined : parseInstant(row.at)) ?? 0;
    const seen = new Set();
    return [...rows]
        .sort((a, b) => atMs(a) - atMs(b) || a.rowid - b.rowid)
        .filter((row) => {
        if (!seen.has(row.key)) {
            seen.add(row.key);
            return false;
        }
        return true;
    })
        .map((row) => row.rowid);
}
//# sourceMappingURL=inbound.js.map