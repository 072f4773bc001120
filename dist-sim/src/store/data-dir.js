import { accessSync, closeSync, constants, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DiskFull, NightporterError } from '../protocol/errors.js';
/**
 * Makes the data dir (0700, on disk when this returns) where there is none, and checks that it can be written.
 * Returns its absolute path. Errors: NightporterError.
 */
export function openDataDir(path) {
    const dataDir = resolve(path);
    try {
        makeFolders(dataDir);
        accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
        return dataDir;
    }
    catch (error) {
        throw explain(error, dataDir);
    }
}
/** The absolute path of a data dir that must exist; `not_found` otherwise. Makes nothing. */
export function requireDataDir(path) {
    const dataDir = resolve(path);
    try {
        if (!statSync(dataDir).isDirectory())
            throw notADirectory(dataDir);
        return dataDir;
    }
    catch (error) {
        if (codeOf(error) === 'ENOENT') {
            throw new NightporterError('not_found', `there is no data dir ${dataDir}: start the daemon, or name another one with --data-dir`, { cause: error });
        }
        throw explain(error, dataDir);
    }
}
/** Not mkdir's `recursive`: it never returns where a parent refuses children with ENOENT (/proc: tested). */
function makeFolders(folder) {
    if (isDirectory(folder))
        return;
    const parent = dirname(folder);
    if (parent !== folder)
        makeFolders(parent);
    try {
        mkdirSync(folder, { mode: 0o700 });
    }
    catch (error) {
        // Another process may have been faster.
        if (!isDirectory(folder))
            throw error;
    }
    syncFolder(parent);
}
/** A folder is on disk when its parent is. */
function syncFolder(folder) {
    const descriptor = openSync(folder, 'r');
    try {
        fsyncSync(descriptor);
    }
    finally {
        closeSync(descriptor);
    }
}
function isDirectory(path) {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
function explain(error, dataDir) {
    const code = codeOf(error);
    const cause = { cause: error };
    switch (code) {
        case 'EEXIST':
        case 'ENOTDIR':
            return notADirectory(dataDir, cause);
        case 'ENOENT':
        case 'EACCES':
        case 'EPERM':
        case 'EROFS':
            return new NightporterError('failed', `the data dir ${dataDir} cannot be used (${code}): give this user the right to write there, or name another ` +
                'one with --data-dir', cause);
        case 'ENOSPC':
        case 'EDQUOT':
            return new DiskFull(`no space left for the data dir ${dataDir}: free some space and try again`, cause);
        default:
            return error;
    }
}
function codeOf(error) {
    return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
function notADirectory(dataDir, options) {
    return new NightporterError('failed', `the data dir ${dataDir} is no directory: move that file away, or name another one with --data-dir`, options);
}
//# sourceMappingURL=data-dir.js.map