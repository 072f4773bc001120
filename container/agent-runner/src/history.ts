import type Database from 'better-sqlite3';
import { parseInstant } from '../../../src/protocol/times.js';
import { openInbound, unreadableCode } from './inbound.js';
import { textOf } from './message-text.js';
import type { Outbound } from './outbound.js';
import type { Said } from './provider.js';

export interface HistoryLimits {
  /** Messages and answers together. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** A silence that is longer begins a new conversation; 0: none does. */
  readonly maxSilenceMs: number;
}

export interface HistoryOrder extends HistoryLimits {
  /** Nothing up to this `seq`; null: from the beginning. */
  readonly afterSeq: number | null;
  /** The messages of the turn itself. */
  readonly without: ReadonlySet<string>;
  readonly nowMs: number;
}

export type HistoryLook =
  { readonly kind: 'read'; readonly said: readonly Said[] } | { readonly kind: 'unreadable'; readonly code: string };

interface Entry extends Said {
  readonly atMs: number;
}

/**
 * The conversation so far, oldest first, from the rows that are there anyway: completed messages and their answers, by
 * `seq`, which orders both. The newest that fit into the limits, beginning with something that was said to the provider.
 */
export function readHistory(inbound: string, outbound: Outbound, order: HistoryOrder): HistoryLook {
  let db: Database.Database | undefined;
  try {
    db = openInbound(inbound);
    const received = db.transaction((open: Database.Database) => outbound.read((out) => completed(open, out, order)))(
      db,
    );
    const oldest = received.at(-1);
    if (oldest === undefined) return { kind: 'read', said: [] };
    const ids = new Set(received.map(({ id }) => id));
    const answers = outbound.read((out) => answersTo(out, ids, oldest.seq, order));
    return { kind: 'read', said: within([...received, ...answers], order) };
  } catch (error) {
    const code = unreadableCode(error);
    if (code === undefined) throw error;
    return { kind: 'unreadable', code };
  } finally {
    db?.close();
  }
}

interface InboundRecord {
  readonly id: string;
  readonly seq: number;
  readonly timestamp: unknown;
  readonly status: string;
  readonly attempt: number;
  readonly content: unknown;
}

/** Newest first. The host may not have seen an ack yet: the runner has. */
function completed(
  inbound: Database.Database,
  outbound: Database.Database,
  { afterSeq, without, maxMessages, maxBytes }: HistoryOrder,
): (Entry & { readonly id: string })[] {
  const columns = inbound.prepare<[], string>("SELECT name FROM pragma_table_info('messages_in')").pluck().all();
  const attempt = columns.includes('attempt') ? 'ifnull(attempt, 0)' : '0';
  const rows = inbound.prepare<[number, number], InboundRecord>(
    `SELECT id, seq, timestamp, status, ${attempt} AS attempt,
       CASE WHEN octet_length(content) <= ? THEN content END AS content
     FROM messages_in WHERE seq > ? AND status IN ('completed', 'pending') ORDER BY seq DESC`,
  );
  const acked = outbound.prepare<[string, number], number>(
    `SELECT 1 FROM processing_ack WHERE message_id = ? AND status = 'completed' AND (attempt IS NULL OR attempt = ?)`,
  );
  const found: (Entry & { readonly id: string })[] = [];
  for (const row of rows.iterate(contentMaxBytes(maxBytes), afterSeq ?? Number.MIN_SAFE_INTEGER)) {
    if (found.length >= maxMessages || row.content === null) break;
    if (without.has(row.id)) continue;
    if (row.status === 'pending' && acked.get(row.id, row.attempt) === undefined) continue;
    found.push({ ...entryOf('user', row), id: row.id });
  }
  return found;
}

interface AnswerRecord {
  readonly seq: number;
  readonly timestamp: unknown;
  readonly in_reply_to: string | null;
  readonly content: unknown;
}

function answersTo(
  outbound: Database.Database,
  ids: ReadonlySet<string>,
  fromSeq: number,
  { maxMessages, maxBytes }: HistoryOrder,
): Entry[] {
  const rows = outbound.prepare<[number, number], AnswerRecord>(
    `SELECT seq, timestamp, in_reply_to, CASE WHEN octet_length(content) <= ? THEN content END AS content
     FROM messages_out WHERE seq > ? ORDER BY seq DESC`,
  );
  const found: Entry[] = [];
  for (const row of rows.iterate(contentMaxBytes(maxBytes), fromSeq)) {
    if (found.length >= maxMessages || row.content === null) break;
    if (row.in_reply_to !== null && ids.has(row.in_reply_to)) found.push(entryOf('assistant', row));
  }
  return found;
}

/** JSON says some characters with six bytes. */
function contentMaxBytes(textMaxBytes: number): number {
  return textMaxBytes * 6 + 1024;
}

function entryOf(role: Said['role'], row: Pick<AnswerRecord, 'seq' | 'timestamp' | 'content'>): Entry {
  const content = Buffer.isBuffer(row.content) ? row.content.toString('utf8') : String(row.content);
  const atMs = typeof row.timestamp === 'string' ? parseInstant(row.timestamp) : undefined;
  return { role, text: textOf(content), seq: row.seq, atMs: atMs ?? 0 };
}

function within(entries: readonly Entry[], { maxMessages, maxBytes, maxSilenceMs, nowMs }: HistoryOrder): Said[] {
  let bytes = 0;
  let laterMs = nowMs;
  const kept: Entry[] = [];
  for (const entry of entries.toSorted((a, b) => b.seq - a.seq)) {
    bytes += Buffer.byteLength(entry.text);
    const isSilent = maxSilenceMs > 0 && laterMs - entry.atMs > maxSilenceMs;
    if (kept.length >= maxMessages || bytes > maxBytes || isSilent) break;
    if (entry.text !== '') kept.push(entry);
    laterMs = entry.atMs;
  }
  const oldestFirst = kept.reverse();
  const start = oldestFirst.findIndex(({ role }) => role === 'user');
  return start < 0 ? [] : oldestFirst.slice(start).map(({ role, text, seq }) => ({ role, text, seq }));
}
