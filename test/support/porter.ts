import Database from 'better-sqlite3';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { policyFor } from '../../src/config/policy.js';
import type { Settings } from '../../src/config.js';
import { loadSettings } from '../../src/config/load.js';
import { roundsSettings } from '../../src/daemon/rounds-settings.js';
import { specSource } from '../../src/daemon/spec-source.js';
import { createNotices } from '../../src/observe/notices.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Registry } from '../../src/ports/registry.js';
import type { InstallId, Runtime } from '../../src/ports/runtime.js';
import type { SessionFiles } from '../../src/ports/session-files.js';
import { findAddress } from '../../src/protocol/address.js';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import { formatInstant } from '../../src/protocol/times.js';
import { PorterRounds } from '../../src/rounds/rounds.js';
import { retentionOf, upkeepSettings } from '../../src/daemon/upkeep-settings.js';
import { PorterUpkeep } from '../../src/upkeep/upkeep.js';
import { openRegistry } from '../../src/store/registry/open-registry.js';
import { PooledSessionFiles } from '../../src/store/session-files/pooled-session-files.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import type { SessionPaths } from '../../src/store/session-files/session-paths.js';
import { built } from './built.js';
import { eventually } from './eventually.js';
import { FakeRuntime } from './fake-runtime.js';
import { InProcessSessionFiles } from './in-process-files.js';
import { ManualClock } from './manual-clock.js';

export interface PorterOptions {
  /** By the names of settings: `{ MAX_CONCURRENT_CONTAINERS: 1 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** One that is there already; closing removes it too. */
  readonly dataDir?: string;
  /** Who carries operations on session files out: file workers, or this process at once. */
  readonly files?: FilesBy;
  /** An engine that is there already, for the install of the data dir. */
  readonly runtime?: (install: InstallId) => FakeRuntime;
  readonly clock?: ManualClock;
  /** What the rounds are given in the place of the ports; the test itself keeps the ports. */
  readonly ports?: (ports: Ports) => Ports;
}

export type FilesBy = 'workers' | 'in_process' | { readonly childEntry: string };

export interface Ports {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly runtime: Runtime;
  readonly clock: Clock;
}

export function session(text: string): SessionAddress {
  const parts = findAddress(text);
  if (parts === undefined) throw new Error(`not an address: ${text}`);
  return parts.address;
}

/** The rounds over real files and a real registry, a fake runtime and a manual clock; the test plays the containers. */
export class TestPorter {
  readonly dataDir: string;
  readonly clock: ManualClock;
  /** In effect; who puts others here says so to rounds and upkeep. */
  settings: Settings;
  runtime: FakeRuntime;
  registry: Registry;
  files: SessionFiles;
  rounds: PorterRounds;
  upkeep: PorterUpkeep;
  /** What the rounds were given. */
  ports: Ports;
  readonly #filesBy: FilesBy;
  readonly #around: (ports: Ports) => Ports;

  constructor({
    settings = {},
    dataDir,
    files = 'workers',
    runtime,
    clock = new ManualClock(),
    ports = (same) => same,
  }: PorterOptions = {}) {
    this.clock = clock;
    this.#filesBy = files;
    this.#around = ports;
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'np-rounds-'));
    this.settings = loadSettings({
      dataDir: this.dataDir,
      configPath: undefined,
      env: {},
      flags: settings,
      readFile: () => undefined,
    });
    this.registry = openRegistry({ dataDir: this.dataDir, mode: 'write' });
    const { install } = this.registry;
    this.runtime = runtime?.(install) ?? new FakeRuntime({ install, clock: this.clock });
    ({ files: this.files, ports: this.ports, rounds: this.rounds, upkeep: this.upkeep } = this.#open());
  }

  /** The daemon dies and is started again: nothing of its memory is left, containers run on. */
  async restart(): Promise<void> {
    await this.upkeep.stop();
    await this.rounds.stop();
    await this.files.close();
    this.registry.close();
    this.registry = openRegistry({ dataDir: this.dataDir, mode: 'write' });
    this.runtime = this.runtime.reopen();
    ({ files: this.files, ports: this.ports, rounds: this.rounds, upkeep: this.upkeep } = this.#open());
  }

  /** As the kernel does for a host that was killed: nothing of it is waited for. Files and containers stay. */
  abandon(): void {
    this.registry.close();
  }

  async close(): Promise<void> {
    await this.upkeep.stop();
    await this.rounds.stop();
    await this.files.close();
    this.registry.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** One round, and all that it began. */
  async round(): Promise<Awaited<ReturnType<PorterRounds['tick']>>> {
    const report = await this.rounds.tick();
    await this.rounds.settled();
    return report;
  }

  /** A look on a hint, and all that it began. */
  async look(text: string): Promise<void> {
    this.rounds.hint(session(text));
    await this.rounds.settled();
  }

  /** Time passes; what rings is carried out. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.rounds.settled();
  }

  /** Time passes, 100 ms at a step, until something is so. */
  until(what: string, probe: () => boolean): Promise<boolean> {
    return eventually(what, () => {
      if (probe()) return true;
      this.clock.advance(100);
      return false;
    });
  }

  send(text: string, id: string, options: { readonly trigger?: boolean; readonly afterMs?: number } = {}): void {
    const nowMs = this.clock.now();
    const result = this.registry.accept({
      session: session(text),
      acceptedAtMs: nowMs,
      message: {
        id: id as MessageId,
        kind: 'chat',
        timestampMs: nowMs,
        processAfterMs: options.afterMs ?? null,
        trigger: options.trigger ?? true,
        onWake: false,
        content: JSON.stringify({ text: id }),
        recurrence: null,
        seriesId: null,
        timezone: null,
        occurrenceMs: null,
        missed: null,
      },
    });
    if (result.kind !== 'accepted') throw new Error(result.kind);
  }

  paths(text: string): SessionPaths {
    return sessionPaths(this.dataDir, session(text));
  }

  message(text: string, id: string): Record<string, unknown> | undefined {
    if (!existsSync(this.paths(text).inbound)) return undefined;
    const db = new Database(this.paths(text).inbound, { readonly: true });
    try {
      return db.prepare('SELECT * FROM messages_in WHERE id = ?').get(id) as Record<string, unknown> | undefined;
    } finally {
      db.close();
    }
  }

  /** Writes as the session's container would. */
  write(text: string, statement: string, ...values: unknown[]): void {
    const db = new Database(this.paths(text).outbound);
    try {
      db.prepare(statement).run(...values);
    } finally {
      db.close();
    }
  }

  /** An ack row of the present attempt, as our own runner writes it. */
  ack(
    text: string,
    id: string,
    status: string,
    more: { readonly error?: string; readonly errorClass?: string } = {},
  ): void {
    const attempt = this.message(text, id)?.['attempt'];
    this.write(
      text,
      `INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed, attempt, incarnation, error, error_class)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      id,
      status,
      formatInstant(this.clock.now()),
      attempt,
      this.epoch(text),
      more.error ?? null,
      more.errorClass ?? null,
    );
  }

  acks(text: string): Record<string, unknown>[] {
    const db = new Database(this.paths(text).outbound, { readonly: true });
    try {
      return db.prepare('SELECT * FROM processing_ack').all() as Record<string, unknown>[];
    } finally {
      db.close();
    }
  }

  /** Touches the heartbeat at the clock's time. */
  beat(text: string, atMs = this.clock.now()): void {
    const { heartbeat } = this.paths(text);
    writeFileSync(heartbeat, '');
    utimesSync(heartbeat, atMs / 1000, atMs / 1000);
  }

  epoch(text: string): number {
    return this.registry.findSession(session(text))?.epoch ?? 0;
  }

  running(): string[] {
    return this.runtime
      .containers()
      .filter(({ state }) => state === 'running')
      .map(({ session: address }) => address ?? '?')
      .sort();
  }

  /** Open notices, `kind session`. */
  notices(): string[] {
    return this.registry.openNotices(100).map(({ kind, session: address }) => `${kind} ${address ?? '-'}`);
  }

  #open(): {
    readonly files: SessionFiles;
    readonly ports: Ports;
    readonly rounds: PorterRounds;
    readonly upkeep: PorterUpkeep;
  } {
    const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
    const { dataDir } = this;
    const settings = (): Settings => this.settings;
    const files = this.#openFiles();
    const ports = this.#around({ registry: this.registry, files, runtime: this.runtime, clock: this.clock });
    const { registry, clock } = ports;
    const rounds = new PorterRounds({
      ...ports,
      log,
      notices: createNotices(registry, clock, log),
      settings: () => roundsSettings(settings()),
      specs: specSource({ dataDir, settings, registry, runtime: 'process', runnerVersion: '1', environment: {} }),
      policy: (record) => policyFor(settings(), record.group, record.provider),
    });
    const upkeep = new PorterUpkeep({
      ...ports,
      supervision: rounds,
      log,
      notices: createNotices(registry, clock, log),
      settings: () => upkeepSettings(settings()),
      retention: ({ group }) => retentionOf(settings(), group),
      folderOf: (address) => sessionPaths(dataDir, address).session,
    });
    return { files, ports, rounds, upkeep };
  }

  #openFiles(): SessionFiles {
    const { dataDir, clock, settings } = this;
    const { outboundMaxBytes } = settings;
    if (this.#filesBy === 'in_process') {
      return new InProcessSessionFiles({ dataDir, now: () => clock.now(), outboundMaxBytes });
    }
    return new PooledSessionFiles({
      dataDir,
      childEntry: this.#filesBy === 'workers' ? built('src/store/worker/child.js') : this.#filesBy.childEntry,
      workers: 2,
      deadlineMs: settings.fileDeadlineMs,
      outboundMaxBytes,
      outOwner: undefined,
    });
  }
}
