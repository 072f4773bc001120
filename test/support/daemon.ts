import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, it } from 'vitest';
import type {
  BatchView,
  DeadLetterView,
  DrainView,
  LogsView,
  ReplyView,
  SentView,
  SessionView,
  StatusView,
  SweepView,
} from '../../src/desk/views.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import type { SessionPaths } from '../../src/store/session-files/session-paths.js';
import { runCli, startCli } from './cli.js';
import type { CliResult, RunningCli } from './cli.js';
import { EngineView, ProcessesView } from './containers-view.js';
import type { ContainersView } from './containers-view.js';
import { BASE_IMAGE, describeWithEngine, describeWithPodman } from './docker-engine.js';
import type { TestEngine } from './docker-engine.js';
import { eventually, within } from './eventually.js';
import { isWholeSuite } from './whole-suite.js';

/** Generous: a test that waits this long has failed, on however slow a machine. */
export const PATIENCE_MS = 90_000;

const LOG_SHOWN_CHARS = 8_000;

export interface DaemonOptions {
  /** By their names: `{ BACKOFF_BASE_MS: 50 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** As under `groups:` of config.yaml. */
  readonly groups?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Of the daemon, beside the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface IncarnationRow {
  readonly session: string;
  readonly epoch: number;
  readonly container_id: string | null;
  readonly begun_at: number;
  readonly started_at: number | null;
  readonly stopped_at: number | null;
  readonly stop_reason: string | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly claimed: number;
  readonly fruitless: number | null;
  readonly output: string | null;
}

export interface AnswerRow {
  readonly id: string;
  readonly in_reply_to: string | null;
  readonly content: string;
}

export type MessageState = Readonly<
  Record<'status' | 'error' | 'error_class' | 'finished_at' | 'process_after', string | null> &
    Record<'seq' | 'tries' | 'attempt', number>
>;

/** A daemon as its users run it: the compiled command line, a data dir of its own, everything asked through the CLI. */
export class TestDaemon {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'np-e2e-'));
  readonly runtime: 'process' | 'docker';
  readonly containers: ContainersView;
  readonly #env: Readonly<Record<string, string>>;
  #running: RunningCli | undefined;
  /** Of daemons that ended. */
  #log = '';

  constructor(engine: TestEngine | undefined, { settings = {}, groups = {}, env = {} }: DaemonOptions) {
    this.runtime = engine === undefined ? 'process' : 'docker';
    this.containers =
      engine === undefined ? new ProcessesView(this.dataDir) : new EngineView(engine.docker, this.dataDir);
    const inContainers = engine === undefined ? {} : { RUNNER_BASE_IMAGE: BASE_IMAGE, NETWORK: 'none' };
    const all: Readonly<Record<string, string | number>> = { ...inContainers, ...settings };
    const named = Object.entries(all).map(([name, value]) => [`NIGHTPORTER_${name}`, String(value)]);
    this.#env = { ...(Object.fromEntries(named) as Record<string, string>), ...env };
    // JSON is YAML.
    writeFileSync(join(this.dataDir, 'config.yaml'), JSON.stringify({ groups }));
  }

  get pid(): number {
    const pid = this.#running?.child.pid;
    if (pid === undefined) throw new Error('no daemon runs');
    return pid;
  }

  /** All that was logged, of earlier daemons too. */
  get log(): string {
    return this.#log + (this.#running?.stderr() ?? '');
  }

  /** Until it serves. */
  async start(args: readonly string[] = []): Promise<void> {
    const running = this.launch(args);
    let ended: CliResult | undefined;
    void running.result.then((result) => (ended = result));
    this.#running = running;
    await eventually(
      'the daemon serves',
      () => {
        if (ended !== undefined)
          throw new Error(`the daemon ended with ${String(ended.code)}: ${ended.stderr.slice(-2000)}`);
        return running.stderr().includes('"msg":"ready"');
      },
      { timeoutMs: PATIENCE_MS },
    );
  }

  /** A further `start` on the same data dir. */
  launch(args: readonly string[] = []): RunningCli {
    return startCli(['start', '--data-dir', this.dataDir, '--runtime', this.runtime, ...args], { env: this.#env });
  }

  /** Resolves with its end. */
  async end(signal: NodeJS.Signals): Promise<CliResult> {
    const running = this.#running;
    if (running === undefined) throw new Error('no daemon runs');
    running.child.kill(signal);
    return this.ended();
  }

  async ended(): Promise<CliResult> {
    const running = this.#running;
    if (running === undefined) throw new Error('no daemon runs');
    const result = await within('the end of the daemon', PATIENCE_MS, running.result);
    this.#log += running.stderr();
    this.#running = undefined;
    return result;
  }

  cli(args: readonly string[], input?: string): Promise<CliResult> {
    return runCli([...args, '--data-dir', this.dataDir], input === undefined ? {} : { input });
  }

  /** Standard output of a command that has to succeed. */
  async done(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, input);
    if (code !== 0) throw new Error(`nightporter ${args.join(' ')} ended with ${String(code)}: ${stderr}`);
    return stdout;
  }

  async json<T>(args: readonly string[], input?: string): Promise<T> {
    return JSON.parse(await this.done([...args, '--json'], input)) as T;
  }

  async send(session: string, text: string, options: readonly string[] = []): Promise<string> {
    return (await this.json<SentView>(['send', session, text, ...options])).id;
  }

  sendBatch(messages: readonly { readonly session: string; readonly text: string; readonly id?: string }[]) {
    const lines = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
    return this.json<BatchView>(['send', '--batch', '-'], lines);
  }

  /** The provider `command` with a script for `sh`, without single quotes. */
  async createScript(session: string, script: string): Promise<void> {
    await this.done(['session', 'create', session, '--provider', 'command', '--command', `sh -c '${script}'`]);
  }

  replies(session: string): Promise<readonly ReplyView[]> {
    return this.json(['replies', session]);
  }

  async texts(session: string): Promise<readonly unknown[]> {
    return (await this.replies(session)).map(({ content }) => (content as { readonly text?: unknown }).text);
  }

  status(): Promise<StatusView> {
    return this.json(['status']);
  }

  show(session: string): Promise<SessionView> {
    return this.json(['session', 'show', session]);
  }

  sweep(): Promise<SweepView> {
    return this.json(['sweep']);
  }

  dead(): Promise<readonly DeadLetterView[]> {
    return this.json(['dead', 'list']);
  }

  logs(session: string): Promise<LogsView> {
    return this.json(['logs', session]);
  }

  drain(): Promise<DrainView> {
    return this.json(['drain']);
  }

  /** Polls `status --json`. */
  statusWhen(what: string, isSo: (status: StatusView) => boolean): Promise<StatusView> {
    return eventually(
      what,
      async () => {
        const status = await this.status();
        return isSo(status) && status;
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 200 },
    );
  }

  /** Waits until every message of the session has ended; looks into its file. */
  async untilEnded(session: string, ids: readonly string[]): Promise<readonly MessageState[]> {
    return eventually(
      `${ids.join(', ')} of ${session} ended`,
      () => {
        const states = ids.map((id) => this.message(session, id));
        const ended = states.filter((state) => state?.status === 'completed' || state?.status === 'failed');
        return ended.length === ids.length && ended.filter((state) => state !== undefined);
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 100 },
    );
  }

  /** Waits until the runner of this session has claimed something. */
  async untilClaimed(session: string): Promise<void> {
    await eventually(
      `a claim of ${session}`,
      () =>
        this.#rows(this.paths(session).outbound, "SELECT 1 FROM processing_ack WHERE status = 'processing'")?.length ===
        1,
      { timeoutMs: PATIENCE_MS },
    );
  }

  paths(session: string): SessionPaths {
    return sessionPaths(this.dataDir, session as SessionAddress);
  }

  message(session: string, id: string): MessageState | undefined {
    const rows = this.#rows(this.paths(session).inbound, 'SELECT * FROM messages_in WHERE id = ?', id);
    return rows?.[0] as MessageState | undefined;
  }

  /** Of messages_out, in order; read from the file: `replies` would take a second for each of many sessions. */
  answers(session: string): readonly AnswerRow[] {
    const rows = this.#rows(
      this.paths(session).outbound,
      'SELECT id, in_reply_to, content FROM messages_out ORDER BY seq',
    );
    if (rows === undefined) throw new Error(`outbound.db of ${session} cannot be read`);
    return rows as readonly AnswerRow[];
  }

  incarnations(session?: string): readonly IncarnationRow[] {
    const where = session === undefined ? '' : 'WHERE session = ?';
    const sql = `SELECT * FROM incarnations ${where} ORDER BY session, epoch`;
    const rows = this.#rows(join(this.dataDir, 'registry.db'), sql, ...(session === undefined ? [] : [session]));
    if (rows === undefined) throw new Error('the registry cannot be read');
    return rows as readonly IncarnationRow[];
  }

  /** A file in the session's workspace, which its container may read. */
  plant(session: string, name: string, content: string): void {
    mkdirSync(this.paths(session).out, { recursive: true });
    writeFileSync(join(this.paths(session).out, name), content);
  }

  /** Ends the daemon, its containers, and what else it left; deletes the data dir. */
  async reap(): Promise<void> {
    if (this.#running !== undefined) await this.end('SIGKILL');
    await this.containers.reap();
    await eventually('nothing runs any more', async () => (await this.containers.running()).length === 0, {
      timeoutMs: PATIENCE_MS,
    });
    endFileWorkers(join(this.dataDir, 'workers.json'));
    // Shims still record the exits of what was just killed.
    await eventually('the data dir is deleted', () => isDeleted(this.dataDir), { timeoutMs: PATIENCE_MS });
  }

  /** Undefined while the file is not there, or is being written. */
  #rows(file: string, sql: string, ...values: readonly unknown[]): readonly unknown[] | undefined {
    if (!existsSync(file)) return undefined;
    try {
      const db = new Database(file, { readonly: true, timeout: 2_000 });
      try {
        return db.prepare(sql).all(...values);
      } finally {
        db.close();
      }
    } catch (error) {
      if (error instanceof Database.SqliteError) return undefined;
      throw error;
    }
  }
}

function isDeleted(folder: string): boolean {
  try {
    rmSync(folder, { recursive: true, force: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return false;
    throw error;
  }
}

/** Those of a daemon that was killed while they hung. */
function endFileWorkers(ledger: string): void {
  if (!existsSync(ledger)) return;
  const entries = JSON.parse(readFileSync(ledger, 'utf8')) as readonly {
    readonly child: { readonly pid: number; readonly startTime: string };
  }[];
  for (const { child } of entries) {
    try {
      const stat = readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8');
      if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === child.startTime) process.kill(child.pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
}

/** Figures that tests measured, and the log of a daemon whose test failed. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export interface Bench {
  readonly runtime: 'process' | 'docker';
  /** Undefined on the process runtime. */
  readonly engine: TestEngine | undefined;
  /** A data dir whose daemon is not started yet; reaped after the test, whatever failed. */
  readonly open: (options?: DaemonOptions) => TestDaemon;
  /** `it` for what an engine changes nothing about: on docker only in a whole suite, which takes its time. */
  readonly itOnce: (name: string, test: () => Promise<void>, timeoutMs: number) => void;
}

function skippedOnDocker(name: string): void {
  it.skip(`${name} (skipped: NIGHTPORTER_WHOLE_SUITE=1 runs it on docker too)`);
}

function onBench(engine: TestEngine | undefined, tests: (bench: Bench) => void): void {
  const opened: TestDaemon[] = [];
  afterEach(async (context) => {
    for (const daemon of opened.splice(0)) {
      if (context.task.result?.state === 'fail') say(daemon.log.slice(-LOG_SHOWN_CHARS));
      await daemon.reap();
    }
  }, PATIENCE_MS * 2);
  tests({
    runtime: engine === undefined ? 'process' : 'docker',
    engine,
    itOnce: engine === undefined || isWholeSuite ? it : skippedOnDocker,
    open: (options = {}) => {
      const daemon = new TestDaemon(engine, options);
      opened.push(daemon);
      return daemon;
    },
  });
}

export function describeOnProcesses(name: string, tests: (bench: Bench) => void): void {
  describe(`${name}, process runtime`, () => {
    onBench(undefined, tests);
  });
}

export async function describeOnDocker(name: string, tests: (bench: Bench & { readonly engine: TestEngine }) => void) {
  await describeWithEngine(`${name}, docker runtime`, (engine) => {
    onBench(engine, (bench) => {
      tests({ ...bench, engine });
    });
  });
}

/** The docker runtime with DOCKER_HOST at the tests' Podman. */
export async function describeOnPodman(name: string, tests: (bench: Bench) => void): Promise<void> {
  await describeWithPodman(`${name}, podman`, (engine) => {
    onBench(engine, ({ open, ...bench }) => {
      tests({
        ...bench,
        open: (options = {}) => open({ ...options, env: { ...options.env, DOCKER_HOST: engine.address.url } }),
      });
    });
  });
}

/** The same tests on both runtimes; those on docker are skipped, or fail, as test/support/docker-engine.ts says. */
export async function describeOnBoth(name: string, tests: (bench: Bench) => void): Promise<void> {
  describeOnProcesses(name, tests);
  await describeOnDocker(name, tests);
}
