import Database from 'better-sqlite3';
import { formatInstant } from '../../../src/protocol/times.js';
import { OUTBOUND_OPTIONAL_COLUMNS } from '../../../src/protocol/schema.js';
import type { PendingRow } from './choose.js';
import type { Answer, Completed, Failed, Message } from './provider.js';
import type { StoredSession } from './provider-session.js';
import {
  addUsage,
  applyChange,
  countResumeFailure,
  findSession,
  forgetSession,
  storeSession,
} from './session-state.js';
import type { SessionChange } from './session-state.js';
import type { TurnUsage } from './usage.js';

/** outbound.db is not there, or not one that the host made. */
export class OutboundUnusable extends Error {}
/** A claim of this turn is not ours any more: another incarnation or the host took over. Nothing was written. */
export class Superseded extends Error {}

const TABLES = ['messages_out', 'processing_ack', 'session_state', 'container_state'];
const INTEGER_COLUMNS = new Set(['attempt', 'incarnation', 'heartbeat_interval_ms']);
/** Waiting for a lock stops the heartbeat, so it is short: `persist` tries again. */
const BUSY_TIMEOUT_MS = 1_000;

interface Tool {
  readonly name: string;
  readonly timeoutMs: number | null;
  readonly startedAtMs: number;
}

/** What ends a turn, but for its claims. */
export interface TurnEnd {
  readonly outcome: Completed | Failed;
  readonly session: SessionChange | null;
  /** null: the provider knows no figures. */
  readonly usage: TurnUsage | null;
}

/** The runner's own file: this process is its only writer. Opened, worked on and closed in every call. */
export class Outbound {
  readonly #path: string;
  readonly #epoch: number;
  readonly #heartbeatMs: number;
  #tool: Tool | null = null;
  #progressAtMs: number | null = null;
  #declared = false;

  constructor(path: string, options: { readonly epoch: number; readonly heartbeatMs: number }) {
    this.#path = path;
    this.#epoch = options.epoch;
    this.#heartbeatMs = options.heartbeatMs;
  }

  /** Throws OutboundUnusable if the file or a table is missing; adds optional columns that an older file lacks. */
  check(): void {
    try {
      this.#completeTables();
    } catch (error) {
      if (error instanceof OutboundUnusable || (isTransient(error) && error.code !== 'SQLITE_CANTOPEN')) throw error;
      throw new OutboundUnusable(`${this.#path} cannot be used: the host creates it before it starts a runner`, {
        cause: error,
      });
    }
  }

  #completeTables(): void {
    this.#open((db) => {
      const columns = db
        .prepare<[], { readonly tab: string; readonly col: string }>(
          `SELECT m.name AS tab, c.name AS col FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`,
        )
        .all();
      const tables = new Set(columns.map(({ tab }) => tab));
      const missing = TABLES.filter((name) => !tables.has(name));
      if (missing.length > 0)
        throw new OutboundUnusable(`${this.#path} has no table ${missing.join(', ')}: the host creates them`);
      const present = new Set(columns.map(({ tab, col }) => `${tab}.${col}`));
      for (const [table, names] of Object.entries(OUTBOUND_OPTIONAL_COLUMNS)) {
        for (const name of names.filter((column) => !present.has(`${table}.${column}`))) {
          db.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${INTEGER_COLUMNS.has(name) ? 'INTEGER' : 'TEXT'}`);
        }
      }
    });
  }

  /** Writes who runs and how often it beats, unless a claim has done so already. Best effort: called at every poll. */
  declare(): void {
    if (!this.#declared) this.#declared = this.#tryWriteState();
  }

  /** Hands `work` a test for "there is an ack of this row's present attempt". */
  withAcks<T>(work: (isAcked: (row: PendingRow) => boolean) => T): T {
    return this.#open((db) => {
      const find = db.prepare<[string, number], number>(
        'SELECT 1 FROM processing_ack WHERE message_id = ? AND (attempt IS NULL OR attempt = ?)',
      );
      return work((row) => find.get(row.id, row.attempt) !== undefined);
    });
  }

  /** All claims of a turn, or none. */
  claim(messages: readonly Message[], nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#write((db) => {
      const upsert = prepareAck(db);
      for (const message of messages) upsert.run(this.#ack(message, 'processing', nowMs));
      this.#writeState(db);
    });
    this.#declared = true;
  }

  /** A turn's answers, its acks and what it leaves behind, in one transaction. Throws Superseded. */
  finish(messages: readonly Message[], { outcome, session, usage }: TurnEnd, nowMs: number): void {
    this.#tool = null;
    this.#progressAtMs = nowMs;
    this.#write((db) => {
      this.#requireClaims(db, messages);
      insertAnswers(db, outcome.answers ?? [], nowMs);
      const upsert = prepareAck(db);
      for (const message of messages) {
        const ack = this.#ack(message, outcome.kind, nowMs);
        if (outcome.kind === 'completed') upsert.run(ack);
        else {
          const { error, errorClass, retryAtMs } = outcome;
          const retryAt = retryAtMs === null ? null : formatInstant(retryAtMs);
          upsert.run({ ...ack, error, errorClass, retryAt });
        }
      }
      if (session !== null) applyChange(db, session, nowMs);
      if (usage !== null) addUsage(db, usage, nowMs);
      this.#writeState(db);
    });
  }

  /** Takes this turn's claims back as if they had never been made; what its calls cost stays counted. */
  release(messages: readonly Message[], usage: TurnUsage | null, nowMs: number): void {
    this.#tool = null;
    this.#write((db) => {
      if (usage !== null) addUsage(db, usage, nowMs);
      const remove = db.prepare(
        `DELETE FROM processing_ack WHERE message_id = ? AND status = 'processing' AND incarnation = ? AND attempt = ?`,
      );
      for (const message of messages) remove.run(message.id, this.#epoch, message.attempt);
      this.#writeState(db);
    });
  }

  /** Best effort: a lock or a full disk costs only this sign of progress. */
  progress(nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#tryWriteState();
  }

  /** The tool that runs, for the host's patience; null: none. Best effort. */
  tool(tool: Tool | null): void {
    this.#tool = tool;
    this.#tryWriteState();
  }

  /** The provider's session; null: none is kept. */
  findSession(provider: string): StoredSession | null {
    return this.read((db) => findSession(db, provider));
  }

  storeSession(provider: string, session: StoredSession, nowMs: number): void {
    this.#write((db) => {
      storeSession(db, provider, session, nowMs);
    });
  }

  /** Forgets an id at once, if it is still the stored one; `refused`: by its provider, which is counted. */
  forgetSession(provider: string, id: string, why: 'refused' | 'overflown', nowMs: number): void {
    this.#write((db) => {
      forgetSession(db, provider, id);
      if (why === 'refused') countResumeFailure(db, provider, nowMs);
    });
  }

  /** `work` must not write. */
  read<T>(work: (db: Database.Database) => T): T {
    return this.#open((db) => db.transaction(work)(db));
  }

  #open<T>(work: (db: Database.Database) => T, timeoutMs = BUSY_TIMEOUT_MS): T {
    const db = new Database(this.#path, { fileMustExist: true, timeout: timeoutMs });
    try {
      db.pragma('synchronous = EXTRA');
      return work(db);
    } finally {
      db.close();
    }
  }

  #write(work: (db: Database.Database) => void, timeoutMs = BUSY_TIMEOUT_MS): void {
    this.#open((db) => {
      db.transaction(work).immediate(db);
    }, timeoutMs);
  }

  #tryWriteState(): boolean {
    try {
      this.#write((db) => {
        this.#writeState(db);
      }, 50);
      return true;
    } catch (error) {
      if (!isTransient(error)) throw error;
      return false;
    }
  }

  #requireClaims(db: Database.Database, messages: readonly Message[]): void {
    const find = db.prepare(
      `SELECT 1 FROM processing_ack WHERE message_id = ? AND status = 'processing' AND incarnation = ? AND attempt = ?`,
    );
    if (messages.some((message) => find.get(message.id, this.#epoch, message.attempt) === undefined)) {
      throw new Superseded('a claim of this turn is not ours any more');
    }
  }

  #ack(message: Message, status: string, nowMs: number): AckValues {
    return {
      id: message.id,
      status,
      changed: formatInstant(nowMs),
      attempt: message.attempt,
      incarnation: this.#epoch,
      error: null,
      errorClass: null,
      retryAt: null,
    };
  }

  #writeState(db: Database.Database): void {
    db.prepare(
      `INSERT INTO container_state (id, current_tool, tool_declared_timeout_ms, tool_started_at, updated_at,
         incarnation, heartbeat_interval_ms, progress_at)
       VALUES (1, @tool, @timeoutMs, @startedAt, @updatedAt, @incarnation, @heartbeatMs, @progressAt)
       ON CONFLICT (id) DO UPDATE SET current_tool = excluded.current_tool,
         tool_declared_timeout_ms = excluded.tool_declared_timeout_ms, tool_started_at = excluded.tool_started_at,
         updated_at = excluded.updated_at, incarnation = excluded.incarnation,
         heartbeat_interval_ms = excluded.heartbeat_interval_ms, progress_at = excluded.progress_at`,
    ).run({
      tool: this.#tool?.name ?? null,
      timeoutMs: this.#tool?.timeoutMs ?? null,
      startedAt: this.#tool === null ? null : formatInstant(this.#tool.startedAtMs),
      updatedAt: formatInstant(Date.now()),
      incarnation: this.#epoch,
      heartbeatMs: this.#heartbeatMs,
      progressAt: this.#progressAtMs === null ? null : formatInstant(this.#progressAtMs),
    });
  }
}

/** Whether the same write may succeed later: a lock, a full disk, an I/O error. */
export function isTransient(error: unknown): error is InstanceType<typeof Database.SqliteError> {
  return error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN)/.test(error.code);
}

interface AckValues {
  readonly id: string;
  readonly status: string;
  readonly changed: string;
  readonly attempt: number;
  readonly incarnation: number;
  readonly error: string | null;
  readonly errorClass: string | null;
  readonly retryAt: string | null;
}

function prepareAck(db: Database.Database): Database.Statement<[AckValues]> {
  return db.prepare<[AckValues]>(
    `INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation, error, error_class, retry_at)
     VALUES (@id, @status, @changed, @attempt, @incarnation, @error, @errorClass, @retryAt)
     ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, status_changed = excluded.status_changed,
       attempt = excluded.attempt, incarnation = excluded.incarnation, error = excluded.error,
       error_class = excluded.error_class, retry_at = excluded.retry_at`,
  );
}

/** `seq` is odd, and above both the earlier answers' and the message's own: a reader may sort all by it. */
function insertAnswers(db: Database.Database, answers: readonly Answer[], nowMs: number): void {
  const highest = db.prepare<[], number | null>('SELECT max(seq) FROM messages_out').pluck().get() ?? 0;
  const insert = db.prepare(
    `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, platform_id, channel_type, thread_id, content)
     VALUES (?, ?, ?, ?, 'chat', ?, ?, ?, ?)`,
  );
  let last = highest;
  for (const { to, text, id = globalThis.crypto.randomUUID() } of answers) {
    const above = Math.max(last, to.seq, 0);
    last = above % 2 === 0 ? above + 1 : above + 2;
    const content = JSON.stringify({ text });
    insert.run(id, last, to.id, formatInstant(nowMs), to.platformId, to.channelType, to.threadId, content);
  }
}
