import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import Database from 'better-sqlite3';
import { hostile } from './finding.js';
import { checkSameFile, inspectDatabase } from './inspect-file.js';
import { findingOf } from './sqlite-fault.js';
const BUSY_TIMEOUT_MS = 100;
/** None of these reads the file. */
const GUARDS = 'PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;';
const READ_GUARDS = `${GUARDS} PRAGMA query_only = ON;`;
const WRITE_GUARDS = `${GUARDS} PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;`;
/**
 * Opens one database of a session, works, closes. undefined when the file is absent, or empty and only to be read: it
 * is not opened then. `read` opens read-only. `write` rolls a hot journal back and commits durably; for outbound.db
 * only with no container running.
 */
export function withDatabase(settings, paths, file, access, work) {
    const path = file === 'inbound.db' ? paths.inbound : paths.outbound;
    const maxBytes = file === 'inbound.db' ? Number.MAX_SAFE_INTEGER : settings.outboundMaxBytes;
    const state = inspectDatabase(path, maxBytes);
    if (state.kind === 'absent' || (state.kind === 'empty' && access === 'read'))
        return undefined;
    let database;
    try {
        database = new Database(path, { readonly: access === 'read', fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
        database.exec(access === 'read' ? READ_GUARDS : WRITE_GUARDS);
        checkOpened(database, path, paths);
        checkSameFile(path, maxBytes, state.stats);
        // One snapshot for the check of the schema and all that is read by it; it ends with the handle.
        if (access === 'read')
            database.exec('BEGIN');
        else
            makeDurable(database, file);
        return work(database);
    }
    catch (error) {
        throw findingOf(error, path, file, access);
    }
    finally {
        database?.close();
    }
}
/** Where the groups' folders really are: an operator may keep them elsewhere by a link. */
const realGroups = new Map();
/** What SQLite really opened: a link put in place after the inspection leads elsewhere. */
function checkOpened(database, path, paths) {
    const opened = database.prepare('PRAGMA database_list').raw().all();
    const within = path.slice(paths.group.length);
    const known = realGroups.get(paths.group);
    if (opened.length === 1 && known !== undefined && opened[0]?.[2] === known + within)
        return;
    const group = realpathSync.native(paths.group);
    realGroups.set(paths.group, group);
    if (opened.length !== 1 || opened[0]?.[2] !== group + within) {
        throw hostile(basename(path), 'leads to another file');
    }
}
function makeDurable(database, file) {
    const mode = database.pragma('journal_mode', { simple: true });
    if (mode !== 'delete')
        throw hostile(file, 'does not use a rollback journal');
    // FULL does not sync the folder after the journal is unlinked.
    database.exec('PRAGMA synchronous = EXTRA');
}
//# sourceMappingURL=open-database.js.map