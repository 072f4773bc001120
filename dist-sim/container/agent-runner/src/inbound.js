import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { parseInstant } from '../../../src/protocol/times.js';
/**
 * Opens inbound.db read-only, lets `choose` pick from its pending rows, reads what was picked, and closes it again.
 * Never waits for a lock: the next poll is near.
 */
export function lookAtInbound(path, choose) {
    let db;
    try {
        db = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
        db.pragma('query_only = ON');
        // One read transaction: what is picked is what was listed.
        return db.transaction((open) => {
            const choice = choose(pendingRows(open));
            return { kind: 'read', choice, messages: readMessages(open, choice.rows) };
        })(db);
    }
    catch (error) {
        const code = unreadableCode(error);
        if (code === undefined)
            throw error;
        return { kind: 'unreadable', code };
    }
    finally {
        db?.close();
    }
}
function pendingRows(db) {
    const columns = db.prepare("SELECT name FROM pragma_table_info('messages_in')").pluck().all();
    const attempt = columns.includes('attempt') ? 'attempt' : '0';
    const rows = db
        .prepare(`SELECT id, seq, timestamp, process_after, tries, ${attempt} AS attempt, trigger, on_wake,
         octet_length(content) AS bytes
       FROM messages_in WHERE status = 'pending' AND id IS NOT NULL`)
        .all();
    return rows.map((row) => ({
        id: row.id,
        seq: row.seq ?? 0,
        timestampMs: instantOf(row.timestamp),
        // A time that is none must not hold a message back for ever.
        processAfterMs: instantOf(row.process_after) ?? null,
        tries: row.tries ?? 0,
        attempt: row.attempt ?? 0,
        trigger: row.trigger !== 0,
        onWake: row.on_wake !== 0,
        bytes: row.bytes ?? 0,
    }));
}
function instantOf(value) {
    return typeof value === 'string' ? parseInstant(value) : undefined;
}
function readMessages(db, rows) {
    const read = db.prepare('SELECT kind, timestamp, platform_id, channel_type, thread_id, content FROM messages_in WHERE id = ?');
    return rows.flatMap((row) => {
        const record = read.get(row.id);
        if (record === undefined)
            return [];
        return {
            id: row.id,
            seq: row.seq,
            kind: record.kind,
            timestamp: record.timestamp,
            content: Buffer.isBuffer(record.content) ? record.content.toString('utf8') : String(record.content),
            attempt: row.attempt,
            tries: row.tries,
            trigger: row.trigger,
            platformId: record.platform_id,
            channelType: record.channel_type,
            threadId: record.thread_id,
        };
    });
}
function unreadableCode(error) {
    if (error instanceof Database.SqliteError)
        return error.code;
    // better-sqlite3 says so itself when the folder is not there.
    return error instanceof TypeError && error.message.startsWith('Cannot open database') ? 'CANTOPEN' : undefined;
}
/** Times of writes closer to the present than this may hide a second write in the same tick of the file's clock. */
const RACY_MS = 2_000;
/** Read in any case after this long: a shared folder may show stale times. */
const REREAD_MS = 5_000;
/** Tells from two cheap facts, stat and due time, whether reading inbound.db again could bring news. */
export class NewsGate {
    #path;
    #signature;
    #readAtMonotonicMs = -Infinity;
    #nextDueAtMs = null;
    constructor(path) {
        this.#path = path;
    }
    /** Whether to read now; the signature taken here is the one that `settle` remembers. */
    mayHaveNews() {
        const signature = signatureOf(this.#path);
        const news = signature === undefined ||
            signature !== this.#signature ||
            performance.now() - this.#readAtMonotonicMs >= REREAD_MS ||
            (this.#nextDueAtMs !== null && this.#nextDueAtMs <= Date.now());
        return { news, signature };
    }
    /** After a read that found nothing to do. */
    settle(signature, nextDueAtMs) {
        this.#signature = signature;
        this.#readAtMonotonicMs = performance.now();
        this.#nextDueAtMs = nextDueAtMs;
    }
    /** The next poll reads, whatever the file looks like. */
    reset() {
        this.#signature = undefined;
    }
}
/** undefined: cannot be told, or too fresh to be trusted. */
function signatureOf(path) {
    let stat;
    try {
        stat = statSync(path, { bigint: true });
    }
    catch {
        // Absent, or out of reach for now: the read tells.
        return undefined;
    }
    const newestMs = Number((stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs) / 1000000n);
    if (Math.abs(Date.now() - newestMs) < RACY_MS)
        return undefined;
    return `${String(stat.ino)}:${String(stat.size)}:${String(stat.mtimeNs)}:${String(stat.ctimeNs)}`;
}
//# sourceMappingURL=inbound.js.map