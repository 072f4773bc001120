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

interface Entry {
  readonly role: Said['role'];
  /** null: too large to be told. */
  readonly text: string | null;
  /** Where it stands in the conversation: an answer's `seq`, for what it answers too. */
  readonly seq: number;
  readonly atMs: number;
}

interface Received extends Entry {
  readonly id: string;
}

interface Given extends Entry {
  readonly to: Received;
}

/**
 * The conversation so far, oldest first, from the rows that are there anyway: completed messages, each where it was
 * answered, however long before it had been put in, and their answers. The newest that fit into the limits, beginning with
 * something that was said to the provider.
 */
export function readHistory(inbound: string, outbound: Outbound, order: HistoryOrder): HistoryLook {
  let db: Database.Database | undefined;
  try {
    db = openInbound(inbound);
    const read = db.transaction((open: Database.Database) => outbound.read((out) => entriesOf(open, out, order)));
    return { kind: 'read', said: within(read(db), order) };
  } catch (error) {
    const code = unreadableCode(error);
    if (code === undefined) throw error;
    return { kind: 'unreadable', code };
  } finally {
    db?.close();
  }
}

function entriesOf(inbound: Database.Database, outbound: Database.Database, order: HistoryOrder): readonly Entry[] {
  const completed = new Completed(inbound, outbound, order);
  const answers = findAnswers(outbound, completed, order);
  const received = new Map(completed.newest().map((message) => [message.id, message]));
  // Newest first: it is the first of several answers that stays.
  for (const { to, seq, atMs } of answers) received.set(to.id, { ...to, seq, atMs });
  return [...received.values(), ...answers];
}

/** As SQLite has it: a foreign file's column may hold anything. */
type Cell = string | number | Buffer | null;

interface InboundRecord {
  readonly id: string;
  readonly seq: number;
  readonly timestamp: unknown;
  readonly process_after: unknown;
  readonly status: string;
  readonly attempt: number;
  readonly content: Cell;
}

/** The messages that were done with. The host may not have seen an ack yet: the runner has. */
class Completed {
  readonly #inbound: Database.Database;
  readonly #select: string;
  readonly #acked: Database.Statement<[string, number], number>;
  readonly #order: HistoryOrder;

  constructor(inbound: Database.Database, outbound: Database.Database, order: HistoryOrder) {
    const columns = inbound.prepare<[], string>("SELECT name FROM pragma_table_info('messages_in')").pluck().all();
    const attempt = columns.includes('attempt') ? 'ifnull(attempt, 0)' : '0';
    this.#inbound = inbound;
    this.#select = `SELECT id, seq, timestamp, process_after, status, ${attempt} AS attempt,
        CASE WHEN octet_length(content) <= ? THEN content END AS content
      FROM messages_in WHERE status IN ('completed', 'pending')`;
    this.#acked = outbound.prepare<[string, number], number>(
      `SELECT 1 FROM processing_ack WHERE message_id = ? AND status = 'completed' AND (attempt IS NULL OR attempt = ?)`,
    );
    this.#order = order;
  }

  newest(): readonly Received[] {
    const { afterSeq, maxMessages, maxBytes } = this.#order;
    const rows = this.#inbound.prepare<[number, number], InboundRecord>(
      `${this.#select} AND seq > ? ORDER BY seq DESC`,
    );
    const found: Received[] = [];
    for (const row of rows.iterate(contentMaxBytes(maxBytes), afterSeq ?? Number.MIN_SAFE_INTEGER)) {
      if (found.length >= maxMessages) break;
      if (this.#isDone(row)) found.push(receivedOf(row));
    }
    return found;
  }

  /** Looks each one up once. */
  finder(): (id: string) => Received | undefined {
    const row = this.#inbound.prepare<[number, string], InboundRecord>(`${this.#select} AND id = ?`);
    const found = new Map<string, Received | undefined>();
    return (id) => {
      if (!found.has(id)) {
        const record = row.get(contentMaxBytes(this.#order.maxBytes), id);
        found.set(id, record !== undefined && this.#isDone(record) ? receivedOf(record) : undefined);
      }
      return found.get(id);
    };
  }

  #isDone({ id, status, attempt }: InboundRecord): boolean {
    if (this.#order.without.has(id)) return false;
    return status === 'completed' || this.#acked.get(id, attempt) !== undefined;
  }
}

interface AnswerRecord {
  readonly seq: number;
  readonly timestamp: unknown;
  readonly in_reply_to: string | null;
  readonly content: Cell;
}

/** Newest first. */
function findAnswers(
  outbound: Database.Database,
  completed: Completed,
  { afterSeq, maxMessages, maxBytes }: HistoryOrder,
): readonly Given[] {
  const rows = outbound.prepare<[number, number], AnswerRecord>(
    `SELECT seq, timestamp, in_reply_to, CASE WHEN octet_length(content) <= ? THEN content END AS content
     FROM messages_out WHERE seq > ? AND in_reply_to IS NOT NULL ORDER BY seq DESC`,
  );
  const find = completed.finder();
  const found: Given[] = [];
  for (const row of rows.iterate(contentMaxBytes(maxBytes), afterSeq ?? Number.MIN_SAFE_INTEGER)) {
    if (found.length >= maxMessages) break;
    const to = row.in_reply_to === null ? undefined : find(row.in_reply_to);
    if (to === undefined) continue;
    found.push({ role: 'assistant', text: spoken(row.content), seq: row.seq, atMs: instantOf(row.timestamp), to });
  }
  return found;
}

/** JSON says some characters with six bytes. */
function contentMaxBytes(textMaxBytes: number): number {
  return textMaxBytes * 6 + 1024;
}

function receivedOf({ id, seq, timestamp, process_after, content }: InboundRecord): Received {
  // What was scheduled or delayed was not said before it was due.
  const atMs = Math.max(instantOf(timestamp), instantOf(process_after));
  return { role: 'user', text: spoken(content), seq, atMs, id };
}

function spoken(content: Cell): string | null {
  if (content === null) return null;
  return textOf(Buffer.isBuffer(content) ? content.toString('utf8') : String(content));
}

/** What is no time was long ago. */
function instantOf(value: unknown): number {
  return (typeof value === 'string' ? parseInstant(value) : undefined) ?? 0;
}

function within(entries: readonly Entry[], { maxMessages, maxBytes, maxSilenceMs, nowMs }: HistoryOrder): Said[] {
  let bytes = 0;
  let laterMs = nowMs;
  const kept: Said[] = [];
  for (const { role, text, seq, atMs } of entries.toSorted(laterFirst)) {
    bytes += Buffer.byteLength(text ?? '');
    const isSilent = maxSilenceMs > 0 && laterMs - atMs > maxSilenceMs;
    if (text === null || kept.length >= maxMessages || bytes > maxBytes || isSilent) break;
    if (text !== '') kept.push({ role, text, seq });
    laterMs = Math.min(laterMs, atMs);
  }
  const oldestFirst = kept.reverse();
  const start = oldestFirst.findIndex(({ role }) => role === 'user');
  return start < 0 ? [] : oldestFirst.slice(start);
}

function laterFirst(a: Entry, b: Entry): number {
  return b.seq - a.seq || (a.role === 'assistant' ? -1 : 1);
}
