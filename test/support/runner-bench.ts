import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { planSettle } from '../../src/core/plan/settle.js';
import type { FilesLook, FilesOutcome, NewMessage } from '../../src/ports/session-files.js';
import { epochOf } from '../../src/protocol/address.js';
import type { MessageId } from '../../src/protocol/address.js';
import { RUNNER_ENV } from '../../src/protocol/workspace.js';
import { isMessageAction, settleStep } from '../../src/rounds/message-actions.js';
import type { Owner } from '../../src/store/session-files/open-database.js';
import type { SessionPaths } from '../../src/store/session-files/session-paths.js';
import { eventually, within } from './eventually.js';
import { DEMO, newMessage, openFiles, runSql } from './session-files-fixture.js';
import type { FilesFixture } from './session-files-fixture.js';

export interface RunnerEnd {
  /** Of the runner, or of its container: 137 and 143 are signals there. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** A runner that was started, whatever it is made of. */
export interface RunnerHandle {
  readonly exited: Promise<RunnerEnd>;
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** What it printed, for people who look for what went wrong. */
  output(): Promise<string>;
}

/** A runner as the suite sees it: a black box over a session's folder. */
export interface RunnerUnderTest {
  readonly name: string;
  readonly runtime: 'process' | 'docker';
  /** `nanoclaw_v2`: the first columns and paths only; rules that take more do not apply to it. */
  readonly knows: 'attempts' | 'nanoclaw_v2';
  /** Who must own `out/`; without it whoever runs the tests. */
  outOwner?(): Promise<Owner | undefined>;
  /** `env`: all variables of the protocol but those of the places, which are the runtime's. */
  launch(paths: SessionPaths, env: Readonly<Record<string, string>>): Promise<RunnerHandle>;
}

export const HEARTBEAT_MS = 100;

export interface StartOptions {
  readonly epoch?: number;
  /** A script for `sh`; without one the agent prints `done`. */
  readonly agent?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The host's part before a start is over; what is done here it would not let pass. */
  readonly meddle?: (paths: SessionPaths) => void;
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
  readonly in_reply_to: string | null;
  readonly timestamp: string;
  readonly kind: string;
  readonly platform_id: string | null;
  readonly channel_type: string | null;
  readonly thread_id: string | null;
  readonly content: string;
}

export type Delivered = Partial<Omit<NewMessage, 'id'>> & { readonly id: string };

/** One session, made and served by the host's own file code; the rest of the host is the test. */
export class RunnerBench {
  readonly paths: SessionPaths;
  readonly runner: RunnerUnderTest;
  readonly #fixture: FilesFixture;
  readonly #started: RunnerHandle[] = [];

  private constructor(runner: RunnerUnderTest, fixture: FilesFixture) {
    this.runner = runner;
    this.#fixture = fixture;
    this.paths = fixture.paths();
  }

  static async open(runner: RunnerUnderTest): Promise<RunnerBench> {
    const fixture = openFiles({ outOwner: await runner.outOwner?.() });
    const bench = new RunnerBench(runner, fixture);
    expect(await fixture.files.create(DEMO)).toMatchObject({ kind: 'ok' });
    return bench;
  }

  async close(failed: boolean): Promise<void> {
    for (const runner of this.#started) {
      if (failed) process.stderr.write(`${this.runner.name} said: ${(await runner.output()).slice(-4_000)}\n`);
      await runner.signal('SIGKILL');
      await within('the end of the runner', 20_000, runner.exited);
    }
    await this.#fixture.close();
  }

  /** The host's step before a start, then the start. */
  async start(options: StartOptions = {}): Promise<RunnerHandle> {
    const nowMs = Date.now();
    expect(await this.#fixture.files.prepareStart(DEMO, { nowMs, lane: 'normal', resumeMaxAgeMs: 0 })).toMatchObject({
      kind: 'ok',
    });
    options.meddle?.(this.paths);
    const runner = await this.runner.launch(this.paths, {
      [RUNNER_ENV.session]: DEMO,
      [RUNNER_ENV.epoch]: String(options.epoch ?? 1),
      [RUNNER_ENV.protocol]: '1',
      [RUNNER_ENV.heartbeatMs]: String(HEARTBEAT_MS),
      [RUNNER_ENV.maxClaims]: '10',
      [RUNNER_ENV.idleMs]: '60000',
      [RUNNER_ENV.stopGraceMs]: '5000',
      [RUNNER_ENV.provider]: 'command',
      [RUNNER_ENV.command]: JSON.stringify(['sh', '-c', options.agent ?? 'echo done']),
      ...options.env,
    });
    this.#started.push(runner);
    return runner;
  }

  end(runner: RunnerHandle, timeoutMs = 15_000): Promise<RunnerEnd> {
    return within('the end of the runner', timeoutMs, runner.exited);
  }

  /** For as long as this at least, it does not end. */
  async staysUp(runner: RunnerHandle, forMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const later = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, forMs, 'up');
    });
    const first = await Promise.race([later, runner.exited]).finally(() => {
      clearTimeout(timer);
    });
    expect(first).toBe('up');
  }

  /** Signs of life, where it knows how to give them by itself; else it only has to be there. */
  async beats(runner: RunnerHandle, times: number): Promise<void> {
    if (this.runner.knows === 'nanoclaw_v2') return this.staysUp(runner, times * HEARTBEAT_MS);
    const seen = new Set<number>();
    await eventually(
      `${times} beats`,
      () => {
        const beat = this.heartbeatMs();
        if (beat !== undefined) seen.add(beat);
        return seen.size > times;
      },
      { timeoutMs: times * HEARTBEAT_MS * 3 + 5_000, intervalMs: 5 },
    );
  }

  async deliver(...messages: readonly (string | Delivered)[]): Promise<void> {
    const all = messages.map((one) =>
      typeof one === 'string' ? newMessage(one) : { ...newMessage(one.id), ...one, id: one.id as MessageId },
    );
    expect(await this.#fixture.files.deliver(DEMO, all)).toMatchObject({ kind: 'ok', inserted: all.length });
  }

  look(): Promise<FilesOutcome<FilesLook>> {
    return this.#fixture.look();
  }

  /** What the host does about the claims of an incarnation that is gone. */
  async settle(epoch: number): Promise<void> {
    const nowMs = Date.now();
    const facts = await this.#fixture.files.look(DEMO, { nowMs, lane: 'normal', containerGone: true });
    if (facts.kind !== 'ok') throw new Error(`the host cannot look: ${JSON.stringify(facts)}`);
    const policy = { maxTries: 5, backoffBaseMs: 1, foreignAnswered: 'retry' } as Parameters<typeof planSettle>[2];
    const actions = planSettle(facts, { epoch, lastEnd: null, leftBehind: false }, policy, nowMs).filter(
      isMessageAction,
    );
    const step = settleStep(actions, epochOf(epoch), nowMs);
    expect(await this.#fixture.files.settle(DEMO, step)).toMatchObject({ kind: 'ok', written: true });
  }

  inbound(sql: string): void {
    runSql(this.paths.inbound, sql);
  }

  /** Only with no runner running, or to play somebody who does what is not allowed. */
  outbound(sql: string): void {
    runSql(this.paths.outbound, sql);
  }

  /** As they stand in the file, whatever columns it has. */
  acks(): readonly AckRecord[] {
    return this.#read('SELECT * FROM processing_ack ORDER BY rowid') as readonly AckRecord[];
  }

  ack(id: string): AckRecord | undefined {
    return this.acks().find((row) => row.message_id === id);
  }

  answers(): readonly AnswerRecord[] {
    return this.#read('SELECT * FROM messages_out ORDER BY seq') as readonly AnswerRecord[];
  }

  answered(): readonly (string | null)[] {
    return this.answers().map((row) => row.in_reply_to);
  }

  state(): Readonly<Record<string, unknown>> | undefined {
    return this.#read('SELECT * FROM container_state')[0] as Readonly<Record<string, unknown>> | undefined;
  }

  heartbeatMs(): number | undefined {
    return existsSync(this.paths.heartbeat) ? statSync(this.paths.heartbeat).mtimeMs : undefined;
  }

  /** Names and bytes of what is in `in/`. */
  inFolder(): readonly (readonly [string, string])[] {
    return readdirSync(this.paths.in, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => [name, bytesOf(join(this.paths.in, name))]);
  }

  /** Files with which the test and the agent talk. */
  touch(name: string): void {
    this.write(name, '');
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.paths.out, name), content);
  }

  remove(name: string): void {
    rmSync(join(this.paths.out, name), { force: true });
  }

  async untilFile(name: string): Promise<void> {
    await eventually(`the file ${name}`, () => existsSync(join(this.paths.out, name)), { timeoutMs: 20_000 });
  }

  async untilAcked(status: string, ...ids: readonly string[]): Promise<void> {
    await eventually(
      `${status}: ${ids.join(' ')}`,
      () => {
        const acks = new Map(this.acks().map((row) => [row.message_id, row.status]));
        return ids.every((id) => acks.get(id) === status);
      },
      { timeoutMs: 20_000 },
    );
  }

  #read(sql: string): readonly unknown[] {
    const db = new Database(this.paths.outbound, { readonly: true, timeout: 5_000 });
    try {
      return db.prepare(sql).all();
    } finally {
      db.close();
    }
  }
}

function bytesOf(path: string): string {
  return statSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder';
}
