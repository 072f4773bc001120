import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { INBOUND_INDEXES, INBOUND_SCHEMA, OUTBOUND_SCHEMA } from '../../src/protocol/schema.js';
import { RUNNER_ENV } from '../../src/protocol/workspace.js';
import { built } from './built.js';
import { eventually, within } from './eventually.js';

export interface TestMessage {
  readonly id: string;
  readonly text?: string;
  /** JSON text in place of `{"text": ...}`. */
  readonly content?: string | Buffer;
  readonly seq?: number;
  readonly timestamp?: string;
  readonly processAfter?: string;
  readonly tries?: number;
  readonly attempt?: number;
  readonly trigger?: boolean;
  readonly onWake?: boolean;
}

export interface AckRecord {
  readonly message_id: string;
  readonly status: string;
  readonly status_changed: string;
  readonly attempt: number | null;
  readonly incarnation: number | null;
  readonly error: string | null;
  readonly error_class: string | null;
  readonly retry_at: string | null;
}

export interface AnswerRecord {
  readonly id: string;
  readonly seq: number;
  readonly in_reply_to: string;
  readonly kind: string;
  readonly platform_id: string | null;
  readonly channel_type: string | null;
  readonly thread_id: string | null;
  readonly content: string;
}

export interface StateRecord {
  readonly current_tool: string | null;
  readonly tool_declared_timeout_ms: number | null;
  readonly incarnation: number;
  readonly heartbeat_interval_ms: number;
  readonly progress_at: string | null;
}

/** A session's folder as the host would make it, with the host's part played by the test. */
export class RunnerSession {
  readonly folder: string;
  readonly inbound: string;
  readonly workspace: string;
  readonly outbound: string;
  readonly heartbeat: string;
  readonly #runners: RunnerProcess[] = [];
  #seq = 0;

  constructor(parent: string = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'np-runner-'));
    this.inbound = join(this.folder, 'in', 'inbound.db');
    this.workspace = join(this.folder, 'out');
    this.outbound = join(this.workspace, 'outbound.db');
    this.heartbeat = join(this.workspace, '.heartbeat');
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, 'in'));
    mkdirSync(this.workspace);
    this.writeInbound((db) => {
      db.exec(INBOUND_SCHEMA);
      db.exec(INBOUND_INDEXES);
    });
    writeDatabase(this.outbound, (db) => {
      db.exec(OUTBOUND_SCHEMA);
    });
  }

  enqueue(...messages: readonly TestMessage[]): void {
    this.writeInbound((db) => {
      const insert = db.prepare(
        `INSERT INTO messages_in (id, seq, kind, timestamp, process_after, tries, attempt, trigger, on_wake, content,
           platform_id, channel_type, thread_id)
         VALUES (?, ?, 'chat', ?, ?, ?, ?, ?, ?, ?, 'p1', 'web', 't1')`,
      );
      for (const message of messages) {
        this.#seq = message.seq ?? this.#seq + 2;
        insert.run(
          message.id,
          this.#seq,
          message.timestamp ?? new Date().toISOString(),
          message.processAfter ?? null,
          message.tries ?? 0,
          message.attempt ?? 0,
          message.trigger === false ? 0 : 1,
          message.onWake === true ? 1 : 0,
          message.content ?? JSON.stringify({ text: message.text ?? message.id }),
        );
      }
    });
  }

  writeInbound(work: (db: Database.Database) => void): void {
    writeDatabase(this.inbound, work);
  }

  /** As the host: only while no runner runs. Rolls back what a killed one left. */
  writeOutbound(work: (db: Database.Database) => void): void {
    writeDatabase(this.outbound, work);
  }

  acks(): AckRecord[] {
    return this.#read<AckRecord>('SELECT * FROM processing_ack ORDER BY rowid');
  }

  ack(id: string): AckRecord | undefined {
    return this.acks().find((row) => row.message_id === id);
  }

  answers(): AnswerRecord[] {
    return this.#read<AnswerRecord>('SELECT * FROM messages_out ORDER BY seq');
  }

  /** What was answered, in order: `[in_reply_to, text]`. */
  replies(): [string, unknown][] {
    return this.answers().map((row) => [row.in_reply_to, (JSON.parse(row.content) as { text: unknown }).text]);
  }

  state(): StateRecord | undefined {
    return this.#read<StateRecord>('SELECT * FROM container_state')[0];
  }

  providerSession(key: string): unknown {
    const [row] = this.#read<{ value: string }>(`SELECT value FROM session_state WHERE key = '${key}'`);
    return row === undefined ? undefined : JSON.parse(row.value);
  }

  heartbeatMs(): number | undefined {
    return existsSync(this.heartbeat) ? statSync(this.heartbeat).mtimeMs : undefined;
  }

  /** Text of a file in the workspace; undefined: there is none. */
  file(name: string): string | undefined {
    const path = join(this.workspace, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  }

  touch(name: string): void {
    writeFileSync(join(this.workspace, name), '');
  }

  async untilAcked(status: string, ...ids: readonly string[]): Promise<void> {
    await eventually(`${status}: ${ids.join(' ')}`, () => {
      const acks = new Map(this.acks().map((row) => [row.message_id, row.status]));
      return ids.every((id) => acks.get(id) === status);
    });
  }

  start(options: RunnerOptions = {}): RunnerProcess {
    const runner = new RunnerProcess(this, options);
    this.#runners.push(runner);
    return runner;
  }

  async dispose(): Promise<void> {
    for (const runner of this.#runners) await runner.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #read<T>(sql: string): T[] {
    const db = new Database(this.outbound, { readonly: true, timeout: 5_000 });
    try {
      return db.prepare<[], T>(sql).all();
    } finally {
      db.close();
    }
  }
}

export interface RunnerOptions {
  /** The command provider's program; without it the provider is echo. */
  readonly command?: readonly string[];
  readonly epoch?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as. */
  readonly uid?: number;
}

export interface RunnerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The compiled runner as a child process. */
export class RunnerProcess {
  readonly exited: Promise<RunnerEnd>;
  readonly #child: ChildProcess;
  #output = '';

  constructor(session: RunnerSession, options: RunnerOptions) {
    this.#child = spawn(process.execPath, [built('container/agent-runner/src/main.js')], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      env: {
        PATH: process.env['PATH'],
        [RUNNER_ENV.workspace]: session.workspace,
        [RUNNER_ENV.inbound]: session.inbound,
        [RUNNER_ENV.session]: 'demo/first',
        [RUNNER_ENV.epoch]: String(options.epoch ?? 1),
        [RUNNER_ENV.protocol]: '1',
        [RUNNER_ENV.heartbeatMs]: '50',
        [RUNNER_ENV.provider]: options.command === undefined ? 'echo' : 'command',
        ...(options.command === undefined ? {} : { [RUNNER_ENV.command]: JSON.stringify(options.command) }),
        ...options.env,
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the runner was not started');
    return this.#child.pid;
  }

  /** stdout and stderr so far. */
  get output(): string {
    return this.#output;
  }

  /** Its log lines with this message. */
  logged(message: string): Record<string, unknown>[] {
    return this.#output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line['msg'] === message);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<RunnerEnd> {
    this.#child.kill(signal);
    return this.end();
  }

  /** Its end, or an error with its output after a while. */
  async end(timeoutMs = 15_000): Promise<RunnerEnd> {
    return within(`end of the runner; it said: ${this.#output}`, timeoutMs, this.exited);
  }
}

/** A program for the command provider, written as a shell script. */
export function script(text: string): string[] {
  return ['/bin/sh', '-c', text];
}

/** Whether a process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    // No such process.
    return false;
  }
}

function writeDatabase(path: string, work: (db: Database.Database) => void): void {
  const db = new Database(path, { timeout: 5_000 });
  try {
    db.pragma('synchronous = EXTRA');
    db.transaction(work).immediate(db);
  } finally {
    db.close();
  }
}
