import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { parseInstant } from '../../../src/protocol/times.js';
import type { Choice, PendingRow } from './choose.js';
import type { Message } from './provider.js';

/** `unreadable`: locked, mid-rollback, absent, not (yet) a database. No news; look again. */
export type InboundLook =
  | { readonly kind: 'read'; readonly choice: Choice; readonly messages: readonly Message[] }
  | { readonly kind: 'unreadable'; readonly code: string };

/**
 * Opens inbound.db read-only, lets `choose` pick from its pending rows, reads what was picked, and closes it again.
 * Never waits for a lock: the next poll is near.
 */
export function lookAtInbound(path: string, choose: (pending: readonly PendingRow[]) => Choice): InboundLook {
  let db: Database.Database | undefined;
  try {
    db = openInbound(path);
    // One read transaction: what is picked is what was listed.
    return db.transaction((open: Database.Database): InboundLook => {
      const choice = choose(pendingRows(open));
      return { kind: 'read', choice, messages: readMessages(open, choice.rows) };
    })(db);
  } catch (error) {
    const code = unreadableCode(error);
    if (code === undefined) throw error;
    return { kind: 'unreadable', code };
  } finally {
    db?.close();
  }
}

/** Read-only; throws what `unreadableCode` knows. Close it. */
export function openInbound(path: string): Database.Database {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  db.pragma('query_only = ON');
  return db;
}

interface PendingRecord {
  readonly id: string;
  readonly seq: number | null;
  readonly timestamp: unknown;
  readonly process_after: unknown;
  readonly tries: number | null;
  readonly attempt: number | null;
  readonly trigger: number;
  readonly on_wake: number;
  readonly bytes: number | null;
}

function pendingRows(db: Database.Database): PendingRow[] {
  const columns = db.prepare<[], string>("SELECT name FROM pragma_table_info('messages_in')").pluck().all();
  const attempt = columns.includes('attempt') ? 'attempt' : '0';
  const rows = db
    .prepare<[], PendingRecord>(
      `SELECT id, seq, timestamp, process_after, tries, ${attempt} AS attempt, trigger, on_wake,
         octet_length(content) AS bytes
       FROM messages_in WHERE status = 'pending' AND id IS NOT NULL`,
    )
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

function instantOf(value: unknown): number | undefined {
  return typeof value === 'string' ? parseInstant(value) : undefined;
}

interface MessageRecord {
  readonly kind: string;
  readonly timestamp: string;
  readonly platform_id: string | null;
  readonly channel_type: string | null;
  readonly thread_id: string | null;
  readonly content: unknown;
}

function readMessages(db: Database.Database, rows: readonly PendingRow[]): readonly Message[] {
  const read = db.prepare<[string], MessageRecord>(
    'SELECT kind, timestamp, platform_id, channel_type, thread_id, content FROM messages_in WHERE id = ?',
  );
  return rows.flatMap((row) => {
    const record = read.get(row.id);
    if (record === undefined) return [];
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

/** undefined: it has nothing to do with the file. */
export function unreadableCode(error: unknown): string | undefined {
  if (error instanceof Database.SqliteError) return error.code;
  // better-sqlite3 says so itself when the folder is not there.
  return error instanceof TypeError && error.message.startsWith('Cannot open database') ? 'CANTOPEN' : undefined;
}

/** Times of writes closer to the present than this may hide a second write in the same tick of the file's clock. */
const RACY_MS = 2_000;
/** Read in any case after this long: a shared folder may show stale times. */
const REREAD_MS = 5_000;

/** Tells from two cheap facts, stat and due time, whether reading inbound.db again could bring news. */
export class NewsGate {
  readonly #path: string;
  #signature: string | undefined;
  #readAtMonotonicMs = -Infinity;
  #nextDueAtMs: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether to read now; the signature taken here is the one that `settle` remembers. */
  mayHaveNews(): { readonly news: boolean; readonly signature: string | undefined } {
    const signature = signatureOf(this.#path);
    const news =
      signature === undefined ||
      signature !== this.#signature ||
      performance.now() - this.#readAtMonotonicMs >= REREAD_MS ||
      (this.#nextDueAtMs !== null && this.#nextDueAtMs <= Date.now());
    return { news, signature };
  }

  /** After a read that found nothing to do. */
  settle(signature: string | undefined, nextDueAtMs: number | null): void {
    this.#signature = signature;
    this.#readAtMonotonicMs = performance.now();
    this.#nextDueAtMs = nextDueAtMs;
  }

  /** The next poll reads, whatever the file looks like. */
  reset(): void {
    this.#signature = undefined;
  }
}

/** undefined: cannot be told, or too fresh to be trusted. */
function signatureOf(path: string): string | undefined {
  let stat;
  try {
    stat = statSync(path, { bigint: true });
  } catch {
    // Absent, or out of reach for now: the read tells.
    return undefined;
  }
  const newestMs = Number((stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs) / 1_000_000n);
  if (Math.abs(Date.now() - newestMs) < RACY_MS) return undefined;
  return `${String(stat.ino)}:${String(stat.size)}:${String(stat.mtimeNs)}:${String(stat.ctimeNs)}`;
}
