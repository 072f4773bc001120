import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { constants } from 'node:fs';
import { v4 } from 'uuid';
import { DiskFull, NightporterError } from '../protocol/errors.js';
export const STAGING_FOLDER = 'staging';
/** Nobody sends it any more: it is removed. */
const UNSENT_MS = 60 * 60 * 1000;
const STAGE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** On its way out. */
const GONE = '.gone-';
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** `<data dir>/staging/<uuid>/<name>`, 0700 and 0600. Only for the holder of the host lock. */
export class StagingFolder {
    #folder;
    constructor(dataDir) {
        this.#folder = join(dataDir, STAGING_FOLDER);
    }
    async put(name, bytes, maxBytes) {
        const stage = v4();
        const folder = join(this.#folder, stage);
        try {
            mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
            await mkdir(folder, { mode: 0o700 });
            const written = await writeFile(join(folder, name), name, bytes, maxBytes);
            await syncFolder(folder);
            await syncFolder(this.#folder);
            return { stage, name, ...written };
        }
        catch (error) {
            await rm(folder, { recursive: true, force: true });
            throw explain(error, name);
        }
    }
    has({ stage, name, bytes }) {
        if (!STAGE.test(stage))
            return false;
        const stats = lstatSync(join(this.#folder, stage, name), { throwIfNoEntry: false });
        return stats?.isFile() === true && stats.size === bytes;
    }
    async drop(files) {
        for (const { stage } of files) {
            if (STAGE.test(stage))
                await rm(join(this.#folder, stage), { recursive: true, force: true });
        }
    }
    async clean(nowMs, isSent) {
        let removed = 0;
        for (const name of this.#names()) {
            const isStale = name.startsWith(GONE) || (STAGE.test(name) && this.#takeAway(name, nowMs, isSent));
            if (!isStale)
                continue;
            await rm(join(this.#folder, name.startsWith(GONE) ? name : GONE + name), { recursive: true, force: true });
            removed += 1;
        }
        return removed;
    }
    /** In one turn with the question whether it was sent: afterwards nobody can send it. */
    #takeAway(stage, nowMs, isSent) {
        const path = join(this.#folder, stage);
        const stats = lstatSync(path, { throwIfNoEntry: false });
        if (stats === undefined || nowMs - stats.mtimeMs < UNSENT_MS || isSent(stage))
            return false;
        renameSync(path, join(this.#folder, GONE + stage));
        return true;
    }
    #names() {
        try {
            return readdirSync(this.#folder);
        }
        catch (error) {
            if (codeOf(error) === 'ENOENT')
                return [];
            throw error;
        }
    }
}
async function writeFile(path, name, bytes, maxBytes) {
    const hash = createHash('sha256');
    let written = 0;
    const file = await open(path, CREATE_FLAGS, 0o600);
    try {
        for await (const chunk of bytes) {
            written += chunk.byteLength;
            if (written > maxBytes)
                throw tooLarge(name, maxBytes);
            hash.update(chunk);
            for (let at = 0; at < chunk.byteLength;)
                at += (await file.write(chunk, at)).bytesWritten;
        }
        await file.sync();
    }
    finally {
        await file.close();
    }
    return { bytes: written, sha256: hash.digest('hex') };
}
async function syncFolder(path) {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
        await folder.sync();
    }
    finally {
        await folder.close();
    }
}
function tooLarge(name, maxBytes) {
    return new NightporterError('usage', `the attachment ${JSON.stringify(name)} is over ${maxBytes} bytes (ATTACHMENT_MAX_BYTES): send less, or a path to it`);
}
function explain(error, name) {
    const code = codeOf(error);
    if (code !== 'ENOSPC' && code !== 'EDQUOT')
        return error;
    const text = `no space left for the attachment ${JSON.stringify(name)}: nothing was accepted; free some space and try again`;
    return new DiskFull(text, { cause: error });
}
function codeOf(error) {
    return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
//# sourceMappingURL=staging.js.map