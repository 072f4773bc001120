import { chmodSync, closeSync, constants, fchownSync, fsyncSync, lchownSync, lstatSync, mkdirSync, openSync, symlinkSync, } from 'node:fs';
import { basename, dirname } from 'node:path';
import { CONTAINER_IN, INBOUND_FILE } from '../../protocol/workspace.js';
import { codeOf, hostile } from './finding.js';
import { kindOf } from './inspect-file.js';
const FILE_MODE = 0o644;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Makes a session's folders and the link that runners look for. Throws `hostile` where something else is in a place. */
export function makeFolders(paths, outOwner) {
    makeFolder(paths.sessions, 0o711, undefined, 'links_allowed');
    makeFolder(paths.group, 0o711, undefined, 'links_allowed');
    makeFolder(paths.session, 0o711);
    makeFolder(paths.host, 0o700);
    makeFolder(paths.in, 0o755);
    makeFolder(paths.inbox, 0o755);
    makeFolder(paths.out, 0o755, outOwner);
    makeFolder(paths.outbox, 0o755, outOwner);
    try {
        symlinkSync(`${CONTAINER_IN}/${INBOUND_FILE}`, paths.inboundLink);
        if (outOwner !== undefined)
            lchownSync(paths.inboundLink, outOwner.uid, outOwner.gid);
    }
    catch (error) {
        // Whatever a container put there is its own affair: the host never reads it.
        if (codeOf(error) !== 'EEXIST')
            throw error;
    }
}
/** Makes the names of all folders of a session durable, up to the data dir. */
export function syncFolders(dataDir, paths) {
    for (const path of [paths.out, paths.in, paths.session, paths.group, paths.sessions, dataDir])
        syncFolder(path);
}
export function syncFolder(path) {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
        fsyncSync(descriptor);
    }
    finally {
        closeSync(descriptor);
    }
}
/** Makes an empty file where there is none; never follows a link, never touches what is there. */
export function makeEmptyFile(path, owner) {
    let descriptor;
    try {
        descriptor = openSync(path, CREATE_FLAGS, FILE_MODE);
    }
    catch (error) {
        if (codeOf(error) === 'EEXIST')
            return;
        throw error;
    }
    try {
        if (owner !== undefined)
            fchownSync(descriptor, owner.uid, owner.gid);
    }
    finally {
        closeSync(descriptor);
    }
}
/** Makes a folder where there is none. Throws `hostile` where something else has its name. */
export function makeFolder(path, mode, owner, links = 'no_links') {
    try {
        mkdirSync(path, { mode });
        chmodSync(path, mode); // whatever the umask says
        if (owner !== undefined)
            lchownSync(path, owner.uid, owner.gid);
    }
    catch (error) {
        if (codeOf(error) !== 'EEXIST')
            throw error;
        const stats = lstatSync(path);
        const allowed = stats.isDirectory() || (stats.isSymbolicLink() && links === 'links_allowed');
        if (!allowed)
            throw hostile(`${basename(dirname(path))}/${basename(path)}`, `is a ${kindOf(stats)}, not a folder`);
    }
}
//# sourceMappingURL=folders.js.map