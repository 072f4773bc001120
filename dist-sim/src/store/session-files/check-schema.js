import { hostile } from './finding.js';
/** Columns without which a table is not the one of the protocol; the first is its key where `keyed`. */
const REQUIRED = {
    'inbound.db': {
        messages_in: [
            ...['id', 'seq', 'kind', 'timestamp', 'status', 'process_after', 'recurrence', 'series_id'],
            ...['tries', 'trigger', 'content', 'on_wake'],
        ],
        delivered: ['message_out_id'],
        destinations: ['name'],
        session_routing: ['id'],
    },
    'outbound.db': {
        messages_out: ['id', 'in_reply_to', 'timestamp', 'kind', 'content'],
        processing_ack: ['message_id', 'status', 'status_changed'],
        session_state: ['key', 'value', 'updated_at'],
        container_state: ['id', 'updated_at'],
    },
};
const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];
const MAX_ENTRIES = 500;
const MAX_SQL_BYTES = 20_000;
const MAX_TYPE_BYTES = 20;
const MAX_NAME_BYTES = 200;
const READ_SCHEMA = `
SELECT substr(type, 1, ${String(MAX_TYPE_BYTES + 1)}), substr(name, 1, ${String(MAX_NAME_BYTES + 1)}), substr(tbl_name, 1, ${String(MAX_NAME_BYTES + 1)}),
  rootpage > 0, substr(sql, 1, ${String(MAX_SQL_BYTES + 1)})
FROM sqlite_schema LIMIT ${String(MAX_ENTRIES + 1)}`;
/** The same schema text always has the same shape, so that most files are judged by one query. */
const judged = new Map();
const MAX_JUDGED = 200;
/** Of the look before: nearly always the same one, and cheaper to compare than to find. */
const last = {};
/**
 * Reads the schema, in the transaction in which its tables are read then, and refuses what is no plain table: views, virtual tables, generated or hidden columns, triggers,
 * indexes on expressions, over limits. Tables of others are left alone. Throws `hostile`.
 */
export function checkSchema(database, file) {
    const rows = database.prepare(READ_SCHEMA).raw().all();
    const before = last[file];
    if (before !== undefined && areEqual(before.rows, rows))
        return before.shape;
    const text = `${file}${JSON.stringify(rows)}`;
    const shape = judged.get(text) ?? judge(database, file, rows);
    if (judged.size >= MAX_JUDGED)
        judged.clear();
    judged.set(text, shape);
    last[file] = { rows, shape };
    return shape;
}
function areEqual(some, others) {
    return (some.length === others.length &&
        some.every((row, index) => row.every((cell, column) => cell === others[index]?.[column])));
}
/** SQL of a column, or NULL where an older or foreign file does not have it. */
export function cellOrNull(shape, table, column, sql) {
    return shape.get(table)?.has(column) === true ? sql(column) : 'NULL';
}
function judge(database, file, rows) {
    if (rows.length > MAX_ENTRIES)
        throw hostile(file, `over ${String(MAX_ENTRIES)} tables and indexes`);
    const ours = REQUIRED[file];
    const shape = new Map();
    for (const [type, name, tableName, stored, sql] of rows) {
        if (!isText(type, MAX_TYPE_BYTES) || !isText(name, MAX_NAME_BYTES) || !isText(tableName, MAX_NAME_BYTES))
            throw hostile(file, 'a name over limits');
        const table = tableName.toLowerCase();
        const required = ours[table];
        if (required === undefined && ours[name.toLowerCase()] === undefined)
            continue;
        // The index of a key has no declaration.
        if (sql !== null && !isText(sql, MAX_SQL_BYTES))
            throw hostile(file, `the declaration of ${name} is over limits`);
        if (type === 'index')
            checkIndex(database, file, name);
        else if (type !== 'table')
            throw hostile(file, `${name} is a ${type} on ${table}`);
        else if (stored !== 1 || sql?.startsWith('CREATE TABLE ') !== true)
            throw hostile(file, `${name} is no plain table`);
        else
            shape.set(table, checkTable(database, file, name, required ?? []));
    }
    return shape;
}
function isText(value, maxBytes) {
    return typeof value === 'string' && Buffer.byteLength(value) <= maxBytes;
}
function checkIndex(database, file, name) {
    const expression = database.prepare('SELECT 1 FROM pragma_index_xinfo(?) WHERE cid = -2 LIMIT 1').get(name);
    if (expression !== undefined)
        throw hostile(file, `the index ${name} is on an expression`);
}
function checkTable(database, file, name, required) {
    const columns = database.prepare('SELECT name, pk, hidden FROM pragma_table_xinfo(?)').all(name);
    if (columns.some((column) => column.hidden !== 0))
        throw hostile(file, `${name} has generated or hidden columns`);
    const names = new Set(columns.map((column) => column.name.toLowerCase()));
    const lacking = required.find((column) => !names.has(column));
    if (lacking !== undefined)
        throw hostile(file, `${name} has no column ${lacking}`);
    // Without its key every lookup by id would read the whole table.
    const keys = columns.filter((column) => column.pk > 0).map((column) => column.name.toLowerCase());
    if (keys.length !== 1 || keys[0] !== required[0])
        throw hostile(file, `${name} is not keyed by ${String(required[0])}`);
    if (ROWID_NAMES.some((rowid) => names.has(rowid)) || isWithoutRowid(database, name)) {
        throw hostile(file, `${name} has no rowid`);
    }
    return names;
}
function isWithoutRowid(database, name) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    try {
        database.prepare(`SELECT rowid FROM ${quoted} LIMIT 0`);
        return false;
    }
    catch {
        return true;
    }
}
//# sourceMappingURL=check-schema.js.map