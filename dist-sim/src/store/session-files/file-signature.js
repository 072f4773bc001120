import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs';
/** Bytes at the start of a file that take part in the signature of a corrupt one. */
const SAMPLE_BYTES = 1024 * 1024;
/** A text that changes whenever one of the session's two databases does; null where the folder is missing. */
export function findSignature(paths) {
    const inbound = statText(paths.inbound);
    const outbound = statText(paths.outbound);
    if (inbound === '-' && outbound === '-' && lstatSync(paths.session, { throwIfNoEntry: false }) === undefined) {
        return null;
    }
    return `${inbound}/${outbound}`;
}
/** Of the bytes that SQLite called corrupt: their stat, and a hash of their first MiB. */
export function byteSignature(path) {
    const hash = createHash('sha256');
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let descriptor;
    try {
        descriptor = openSync(path, flags);
    }
    catch {
        return statText(path); // gone by now: the stat tells that it is another
    }
    try {
        const bytes = Buffer.allocUnsafe(SAMPLE_BYTES);
        hash.update(bytes.subarray(0, readSync(descriptor, bytes, 0, SAMPLE_BYTES, 0)));
    }
    finally {
        closeSync(descriptor);
    }
    return `${statText(path)}#${hash.digest('hex').slice(0, 16)}`;
}
function statText(path) {
    let stats;
    try {
        stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    }
    catch {
        return '?'; // its folder is no folder: the look will say so
    }
    if (stats === undefined)
        return '-';
    return `${stats.ino}.${stats.size}.${stats.mtimeNs}.${stats.ctimeNs}`;
}
//# sourceMappingURL=file-signature.js.map