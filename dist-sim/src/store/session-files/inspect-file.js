import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { busy, codeOf, hostile, missing } from './finding.js';
const HEADER_BYTES = 100;
const WRITE_VERSION_AT = 18;
const READ_VERSION_AT = 19;
const WAL_VERSION = 2;
/** Ends a journal that names a super-journal: its rollback would delete the named file. */
const SUPER_JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');
const JOURNAL_LOOKS = 3;
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Refuses a session whose folders are links or no folders. Throws `missing` when there is no session folder. */
export function checkFolders(paths) {
    if (folderState(paths.session, 'session folder') === 'absent')
        throw missing();
    folderState(paths.in, 'in');
    folderState(paths.out, 'out');
}
function folderState(path, name) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined)
        return 'absent';
    if (!stats.isDirectory())
        throw hostile(name, `is a ${kindOf(stats)}, not a folder`);
    return 'present';
}
/**
 * Looks at a database and what lies beside it before SQLite does. Throws `hostile` for a link, fifo, folder, second
 * hard link, over `maxBytes`, a WAL header or -wal file, an odd journal, or a journal that names a super-journal.
 */
export function inspectDatabase(path, maxBytes) {
    const file = basename(path);
    const stats = checkRegular(path, file, maxBytes);
    for (const suffix of ['-wal', '-shm']) {
        const beside = lstatSync(path + suffix, { throwIfNoEntry: false });
        if (beside !== undefined)
            throw hostile(file + suffix, `is a ${kindOf(beside)}; session files use no WAL`);
    }
    checkJournal(`${path}-journal`, maxBytes);
    if (stats === undefined)
        return { kind: 'absent' };
    if (stats.size === 0)
        return { kind: 'empty', stats };
    checkHeader(path, file, stats);
    return { kind: 'database', stats };
}
/** The file is still the one that was inspected; a swap in between is refused. */
export function checkSameFile(path, maxBytes, before) {
    const after = checkRegular(path, basename(path), maxBytes);
    if (after?.ino !== before.ino || after.dev !== before.dev) {
        throw hostile(basename(path), 'was exchanged while it was opened');
    }
}
export function kindOf(stats) {
    if (stats.isFile())
        return 'file';
    if (stats.isSymbolicLink())
        return 'link';
    if (stats.isDirectory())
        return 'folder';
    if (stats.isFIFO())
        return 'fifo';
    if (stats.isSocket())
        return 'socket';
    return 'device';
}
function checkRegular(path, name, maxBytes) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined)
        return undefined;
    if (!stats.isFile())
        throw hostile(name, `is a ${kindOf(stats)}, not a regular file`);
    if (stats.nlink > 1)
        throw hostile(name, `has ${String(stats.nlink)} hard links`);
    if (stats.size > maxBytes)
        throw hostile(name, `has ${String(stats.size)} bytes, over ${String(maxBytes)}`);
    return stats;
}
function checkJournal(path, maxBytes) {
    const name = basename(path);
    // A live writer makes and unlinks it all the time: looked at again when it changed under our eyes.
    for (let attempt = 0; attempt < JOURNAL_LOOKS; attempt += 1) {
        // A journal holds each page once, with 8 bytes more, and its headers.
        const stats = checkRegular(path, name, maxBytes * 2);
        if (stats === undefined || stats.size < SUPER_JOURNAL_MAGIC.length)
            return;
        const tail = readAt(path, stats, stats.size - SUPER_JOURNAL_MAGIC.length, SUPER_JOURNAL_MAGIC.length);
        if (tail?.equals(SUPER_JOURNAL_MAGIC) === true)
            throw hostile(name, 'names a super-journal');
        if (tail !== undefined)
            return;
    }
    throw busy(name, 'changes all the time');
}
function checkHeader(path, file, stats) {
    const header = readAt(path, stats, 0, HEADER_BYTES);
    if (header === undefined)
        return;
    if (header[WRITE_VERSION_AT] === WAL_VERSION || header[READ_VERSION_AT] === WAL_VERSION) {
        throw hostile(file, 'its header says WAL');
    }
}
/** Bytes of the inspected file; undefined when it is gone, another, or too short by now. Follows no link, never waits. */
function readAt(path, expected, position, length) {
    let descriptor;
    try {
        descriptor = openSync(path, OPEN_FLAGS);
    }
    catch (error) {
        if (codeOf(error) === 'ENOENT')
            return undefined;
        if (codeOf(error) === 'ELOOP')
            throw hostile(basename(path), 'is a link, not a regular file');
        throw error;
    }
    try {
        const opened = fstatSync(descriptor);
        if (opened.ino !== expected.ino || opened.dev !== expected.dev)
            return undefined;
        const bytes = Buffer.allocUnsafe(length);
        return readSync(descriptor, bytes, 0, length, position) === length ? bytes : undefined;
    }
    finally {
        closeSync(descriptor);
    }
}
//# sourceMappingURL=inspect-file.js.map