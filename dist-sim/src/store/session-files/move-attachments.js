import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, ftruncateSync, lstatSync, openSync, readSync, renameSync, rmdirSync, unlinkSync, writeSync, } from 'node:fs';
import { createHash } from 'node:crypto';
import { isName } from '../../protocol/address.js';
import { attachmentNameProblem } from '../../protocol/attachments.js';
import { STAGING_FOLDER } from '../staging.js';
import { makeFolder, syncFolder } from './folders.js';
import { codeOf } from './finding.js';
const CHUNK_BYTES = 1024 * 1024;
/** Whoever runs in a container must be able to read it. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
/**
 * Moves the staged files of messages to `in/inbox/<message id>/`, durably; what was moved by an earlier call stays. To be
 * called before their rows are there. Answers how many files are gone: the message is worth delivering all the same.
 */
export function moveAttachments(settings, paths, messages) {
    let lost = 0;
    let moved = false;
    for (const { id, attachments = [] } of messages) {
        if (attachments.length === 0)
            continue;
        if (!isName(id))
            throw new Error(`a message with attachments has no safe id: ${JSON.stringify(id)}`);
        const folder = `${paths.inbox}/${id}`;
        makeFolder(paths.inbox, FOLDER_MODE);
        makeFolder(folder, FOLDER_MODE);
        for (const file of attachments)
            if (moveOne(settings, file, folder) === 'lost')
                lost += 1;
        syncFolder(folder);
        moved = true;
    }
    if (moved)
        syncFolder(paths.inbox);
    return lost;
}
function moveOne(settings, file, folder) {
    const problem = attachmentNameProblem(file.name) ?? attachmentNameProblem(file.stage);
    if (problem !== undefined)
        throw new Error(`an attachment has no safe name: ${problem}`);
    const stage = `${settings.dataDir}/${STAGING_FOLDER}/${file.stage}`;
    const from = `${stage}/${file.name}`;
    const to = `${folder}/${file.name}`;
    if (lstatSync(from, { throwIfNoEntry: false }) === undefined) {
        return lstatSync(to, { throwIfNoEntry: false })?.isFile() === true ? 'there' : 'lost';
    }
    openUp(from);
    try {
        renameSync(from, to);
    }
    catch (error) {
        if (codeOf(error) !== 'EXDEV')
            throw error;
        copyAcross(from, to, file);
    }
    removeEmpty(stage);
    return 'there';
}
function openUp(path) {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
        fchmodSync(descriptor, FILE_MODE);
    }
    finally {
        closeSync(descriptor);
    }
}
/** To another file system (a group's folder may be a link). A copy that a deadline cut short goes on where it was. */
function copyAcross(from, to, file) {
    const part = `${to.slice(0, to.lastIndexOf('/'))}/.${file.stage}`;
    const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW);
    const target = openSync(part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
    try {
        fchmodSync(target, FILE_MODE);
        let at = fstatSync(target).size;
        const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
        for (;;) {
            const length = readSync(source, chunk, 0, CHUNK_BYTES, at);
            if (length === 0)
                break;
            for (let done = 0; done < length;)
                done += writeSync(target, chunk, done, length - done, at + done);
            at += length;
        }
        fsyncSync(target);
        if (hashOf(target) !== file.sha256) {
            ftruncateSync(target, 0);
            throw new Error(`the copy of ${file.name} to another file system is not what was staged: it is made again`);
        }
    }
    finally {
        closeSync(source);
        closeSync(target);
    }
    renameSync(part, to);
    unlinkSync(from);
}
function hashOf(descriptor) {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = 0;;) {
        const length = readSync(descriptor, chunk, 0, CHUNK_BYTES, at);
        if (length === 0)
            return hash.digest('hex');
        hash.update(chunk.subarray(0, length));
        at += length;
    }
}
function removeEmpty(folder) {
    try {
        rmdirSync(folder);
    }
    catch {
        // It is cleaned up with what nobody sent.
    }
}
//# sourceMappingURL=move-attachments.js.map