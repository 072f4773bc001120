import Database from 'better-sqlite3';
import type { Message, Outcome } from '../../container/agent-runner/src/provider.js';
import { formatInstant } from '../../src/protocol/times.js';

const MOST_CLAIMS = 3;

/** The files as a runner writes them that knows no attempts, incarnations or classes, and whole seconds only. */
export class ForeignFiles {
  readonly #inbound: string;
  readonly #outbound: string;

  constructor(inbound: string, outbound: string) {
    this.#inbound = inbound;
    this.#outbound = outbound;
  }

  /** Claims what is due and has no ack at all, oldest first. */
  claim(nowMs: number): readonly Message[] {
    const acked = this.#write((db) => db.prepare<[], string>('SELECT message_id FROM processing_ack').pluck().all());
    const known = new Set(acked);
    const free = this.#pending(nowMs).filter(({ id }) => !known.has(id));
    if (!free.some(({ trigger }) => trigger)) return [];
    const messages = free.slice(0, MOST_CLAIMS);
    this.#write((db) => {
      const insert = db.prepare(
        "INSERT INTO processing_ack (message_id, status, status_changed) VALUES (?, 'processing', ?)",
      );
      db.transaction(() => {
        for (const { id } of messages) insert.run(id, textOf(nowMs));
      })();
    });
    return messages;
  }

  answer(
    answers: readonly { readonly to: Message; readonly text: string; readonly id: string }[],
    nowMs: number,
  ): void {
    this.#write((db) => {
      const insert = db.prepare(
        `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content)
         VALUES (?, (SELECT coalesce(max(seq), 1) + 2 FROM messages_out), ?, ?, 'chat', ?)`,
      );
      for (const { to, text, id } of answers) insert.run(id, to.id, textOf(nowMs), JSON.stringify({ text }));
    });
  }

  finish(messages: readonly Message[], outcome: Exclude<Outcome, { kind: 'unfinished' }>, nowMs: number): void {
    this.#write((db) => {
      const update = db.prepare(
        'UPDATE processing_ack SET status = ?, status_changed = ?, error_class = ?, retry_at = ? WHERE message_id = ?',
      );
      const isFailed = outcome.kind === 'failed';
      const retryAt = isFailed && outcome.retryAtMs !== null ? textOf(outcome.retryAtMs) : null;
      db.transaction(() => {
        db.prepare('UPDATE container_state SET current_tool = NULL, updated_at = ?').run(textOf(nowMs));
        for (const { id } of messages) {
          update.run(outcome.kind, textOf(nowMs), isFailed ? outcome.errorClass : null, retryAt, id);
        }
      })();
    });
  }

  tool(tool: { readonly name: string; readonly timeoutMs: number; readonly startedAtMs: number }, nowMs: number): void {
    this.#write((db) => {
      db.prepare(
        `INSERT INTO container_state (id, current_tool, tool_declared_timeout_ms, tool_started_at, updated_at)
         VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET current_tool = excluded.current_tool,
           tool_declared_timeout_ms = excluded.tool_declared_timeout_ms, tool_started_at = excluded.tool_started_at,
           updated_at = excluded.updated_at`,
      ).run(tool.name, tool.timeoutMs, textOf(tool.startedAtMs), textOf(nowMs));
    });
  }

  #pending(nowMs: number): readonly Message[] {
    const db = new Database(this.#inbound, { readonly: true });
    try {
      const rows = db
        .prepare<[], { id: string; seq: number; process_after: string | null; tries: number; trigger: number }>(
          "SELECT id, seq, process_after, tries, trigger FROM messages_in WHERE status = 'pending' ORDER BY seq",
        )
        .all();
      return rows
        .filter((row) => row.process_after === null || Date.parse(row.process_after) <= nowMs)
        .map(({ id, seq, tries, trigger }) => ({
          ...{ id, seq, tries, trigger: trigger !== 0, kind: 'chat', timestamp: '', content: '{}', attempt: 0 },
          ...{ platformId: null, channelType: null, threadId: null },
        }));
    } finally {
      db.close();
    }
  }

  #write<T>(work: (db: Database.Database) => T): T {
    const db = new Database(this.#outbound, { fileMustExist: true });
    try {
      return work(db);
    } finally {
      db.close();
    }
  }
}

/** `YYYY-MM-DD HH:MM:SS` */
function textOf(atMs: number): string {
  return formatInstant(atMs).slice(0, 19).replace('T', ' ');
}
