import { closeSync, fstatSync, lstatSync, readSync } from 'node:fs';
import { attachmentNameProblem } from '../../protocol/attachments.js';
import { OUTBOX_FOLDER } from '../../protocol/workspace.js';
import { HeldFolder, namesIn } from './held-folder.js';
import { checkFolders, kindOf } from './inspect-file.js';
const CHUNK_BYTES = 1024 * 1024;
/** Names that are read of a folder, however many it holds. */
const NAMES_READ = 1_000;
/**
 * What lies in `out/outbox/<answer id>/` of each answer, where there is something. All of it is hostile: what is no plain
 * file with a safe name is named, with why, and never opened.
 */
export function listOutbox(settings, paths, ids) {
    const found = new Map();
    if (ids.length === 0)
        return found;
    const problem = outboxProblem(paths);
    if (problem !== undefined)
        return new Map(ids.map((id) => [id, refusal(OUTBOX_FOLDER, problem)]));
    withOutbox(paths, (outbox) => {
        for (const id of ids) {
            // An id that is no name has no folder.
            if (attachmentNameProblem(id) !== undefined)
                continue;
            const listed = listOne(outbox, id, settings.attachments);
            if (listed !== undefined)
                found.set(id, listed);
        }
    });
    return found;
}
/** Nothing can be told of any answer then. */
function outboxProblem(paths) {
    const stats = lstatSync(paths.outbox, { throwIfNoEntry: false });
    return stats === undefined || stats.isDirectory() ? undefined : `is a ${kindOf(stats)}, not a folder`;
}
function listOne(outbox, id, limits) {
    const stats = outbox.find(id);
    if (stats === undefined)
        return undefined;
    if (!stats.isDirectory())
        return refusal(id, `is a ${kindOf(stats)}, not a folder`);
    const folder = outbox.folder(id);
    if (folder === undefined)
        return refusal(id, 'was exchanged while it was read');
    try {
        return listFolder(folder, limits);
    }
    finally {
        folder.close();
    }
}
function refusal(name, why) {
    return { attachments: [], refused: [{ name, why }] };
}
function listFolder(folder, limits) {
    const names = namesIn(folder, NAMES_READ).sort((a, b) => a.compare(b));
    if (names.length === 0)
        return undefined;
    const attachments = [];
    const refused = [];
    for (const bytes of names) {
        if (attachments.length + refused.length >= limits.max)
            break;
        const name = bytes.toString('utf8');
        const stats = folder.find(bytes);
        if (stats === undefined)
            continue;
        const why = Buffer.from(name).equals(bytes) ? whyNot(name, stats, limits) : 'its name is not UTF-8';
        if (why === undefined)
            attachments.push({ name, bytes: stats.size });
        else
            refused.push({ name, why });
    }
    const over = names.length - limits.max;
    if (over > 0)
        refused.push({ name: '', why: `${over} more, the most is ${limits.max} (ATTACHMENTS_MAX)` });
    return { attachments, refused };
}
/** Why something is not handed out. */
function whyNot(name, stats, { maxBytes }) {
    const problem = attachmentNameProblem(name);
    if (problem !== undefined)
        return `its name is not safe: ${problem}`;
    if (!stats.isFile())
        return `is a ${kindOf(stats)}, not a regular file`;
    if (stats.nlink > 1)
        return `has ${stats.nlink} hard links`;
    if (stats.size > maxBytes)
        return `has ${stats.size} bytes, the most is ${maxBytes} (ATTACHMENT_MAX_BYTES)`;
    return undefined;
}
/** Up to 1 MiB from `offset` on. `identity`: of the chunk before; a file that changed meanwhile is not handed out. */
export function readAttachment(settings, paths, { reply, name, offset, identity, }) {
    const absent = { found: false, why: 'is not there' };
    for (const text of [reply, name]) {
        const problem = attachmentNameProblem(text);
        if (problem !== undefined)
            return { found: false, why: `its name is not safe: ${problem}` };
    }
    return (withOutbox(paths, (outbox) => {
        const folder = outbox.folder(reply);
        try {
            const stats = folder?.find(name);
            if (folder === undefined || stats === undefined)
                return absent;
            const why = whyNot(name, stats, settings.attachments);
            // A device must not even be opened.
            if (why !== undefined)
                return { found: false, why };
            const descriptor = folder.file(name);
            return descriptor === undefined ? absent : readChunk(descriptor, name, offset, identity, settings.attachments);
        }
        finally {
            folder?.close();
        }
    }) ?? absent);
}
function readChunk(descriptor, name, offset, before, limits) {
    try {
        const why = whyNot(name, fstatSync(descriptor), limits);
        if (why !== undefined)
            return { found: false, why };
        const stats = fstatSync(descriptor, { bigint: true });
        const identity = identityOf(stats);
        const size = Number(stats.size);
        const length = Math.max(0, Math.min(CHUNK_BYTES, size - offset));
        const data = Buffer.alloc(length);
        const read = length === 0 ? 0 : readSync(descriptor, data, 0, length, offset);
        if ((before !== null && before !== identity) || read < length) {
            return { found: false, why: 'was changed while it was read' };
        }
        return { found: true, data, size, identity };
    }
    finally {
        closeSync(descriptor);
    }
}
function identityOf({ dev, ino, size, mtimeNs, ctimeNs }) {
    return [dev, ino, size, mtimeNs, ctimeNs].join('.');
}
function withOutbox(paths, work) {
    checkFolders(paths);
    const out = HeldFolder.open(paths.out);
    try {
        const outbox = out?.folder(OUTBOX_FOLDER);
        try {
            return outbox === undefined ? undefined : work(outbox);
        }
        finally {
            outbox?.close();
        }
    }
    finally {
        out?.close();
    }
}
//# sourceMappingURL=outbox.js.map