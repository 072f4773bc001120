import type { SessionAddress } from '../../src/protocol/address.js';
import { NightporterError, RuntimeUnavailable } from '../../src/protocol/errors.js';
import type {
  Container,
  ContainerEnd,
  ContainerId,
  ContainerSpec,
  InstallId,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  StartResult,
  StopResult,
} from '../../src/ports/runtime.js';

import { drain, FakeEngine, machineClock, OUTPUT_LIMIT_BYTES, tail } from './fake-engine.js';
import type {
  FakeCall,
  FakeClock,
  FakeContainer,
  FakeEnd,
  FakeExit,
  FakeProgram,
  FakeSnapshot,
  FakeStart,
  Subscriber,
} from './fake-engine.js';

export interface FakeRuntimeOptions {
  readonly install?: InstallId;
  /** For start times, histories and the grace of stops; the machine's own clock by default. */
  readonly clock?: FakeClock;
  /** What containers do; by default they run until TERM. `program(session, ...)` goes first. */
  readonly program?: (spec: ContainerSpec) => FakeProgram;
}

/**
 * The port in memory, for tests of the rounds. Everything happens at once, except what a control below delays.
 * Controls are about the engine: they apply to every runtime that was opened on it (`reopen`, `ofInstall`).
 */
export class FakeRuntime implements Runtime {
  readonly kind = 'fake';
  readonly install: InstallId;
  readonly #engine: FakeEngine;

  constructor(
    { install = 'fake-install' as InstallId, clock = machineClock, program = () => ({}) }: FakeRuntimeOptions = {},
    engine?: FakeEngine,
  ) {
    this.install = install;
    this.#engine = engine ?? new FakeEngine(clock, program);
  }

  // --- controls

  /** Another runtime on the same engine, as after a restart of the daemon. */
  reopen(): FakeRuntime {
    return new FakeRuntime({ install: this.install }, this.#engine);
  }

  /** An engine like this one was; what controls it is left behind. */
  static restored(snapshot: FakeSnapshot, options: FakeRuntimeOptions): FakeRuntime {
    const runtime = new FakeRuntime(options);
    runtime.#engine.restore(snapshot);
    return runtime;
  }

  snapshot(): FakeSnapshot {
    return this.#engine.snapshot();
  }

  /** Another install on the same engine. */
  ofInstall(install: InstallId): FakeRuntime {
    return new FakeRuntime({ install }, this.#engine);
  }

  /** `down`: every call is refused as unavailable and event streams end; containers run on. */
  engine(state: 'up' | 'down'): void {
    this.#engine.isDown = state === 'down';
    if (state === 'down') this.#engine.endStreams();
  }

  /** Event streams end, as behind a proxy that was restarted. */
  endEvents(): void {
    this.#engine.endStreams();
  }

  /** The engine restarts: everything that ran has exited with 137. */
  restartEngine(): void {
    this.#engine.endStreams();
    for (const one of this.#engine.byName.values()) this.#engine.exit(one, { exitCode: 137 }, 'engine');
  }

  /** The session's running container ends by itself. Throws if none runs. */
  exit(session: SessionAddress, exit: FakeExit = {}): void {
    this.#engine.exit(this.#require(session), exit);
  }

  /** The session's container prints. */
  print(session: SessionAddress, text: string): void {
    const one = this.#require(session);
    one.output = Buffer.concat([one.output, Buffer.from(text)]);
  }

  /** From now on stops and removals of the session's container do not end it; `false`: they do again. */
  unstoppable(session: SessionAddress, is = true): void {
    if (is) this.#engine.unstoppable.add(session);
    else this.#engine.unstoppable.delete(session);
  }

  /** What containers of the session do that are started from now on. */
  program(session: SessionAddress, program: FakeProgram): void {
    this.#engine.programs.set(session, program);
  }

  /** Starts for the session are refused with this detail; undefined: not any more. */
  refuse(session: SessionAddress, detail: string | undefined): void {
    if (detail === undefined) this.#engine.refused.delete(session);
    else this.#engine.refused.set(session, detail);
  }

  /** The next call of this kind rejects: an error of the engine unless another is given. */
  failNext(call: FakeCall, error: Error = new RuntimeUnavailable(`fake runtime: ${call} failed`)): void {
    this.#engine.failing.set(call, [...(this.#engine.failing.get(call) ?? []), error]);
  }

  /** Calls of this kind do not answer until the returned function is called; then they go on. */
  hang(call: FakeCall): () => void {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#engine.hung.set(call, gate);
    return () => {
      if (this.#engine.hung.get(call) === gate) this.#engine.hung.delete(call);
      release();
    };
  }

  /** Changes what `list` answers; undefined: the truth again. */
  lieInList(lie: ((containers: readonly Container[]) => readonly Container[]) | undefined): void {
    this.#engine.lie = lie;
  }

  /** Ends all event streams, silently, as engines do. */
  loseEvents(): void {
    this.#engine.endStreams();
  }

  /** A running container that no start of this test made: an orphan, or one of an earlier daemon. */
  plant(spec: ContainerSpec, changes: Partial<Container> = {}): Container {
    const one = this.#create(spec);
    one.container = { ...one.container, ...changes };
    return one.container;
  }

  /** The truth, of this install, in order of start; lies, hangs and downtime aside. */
  containers(): readonly Container[] {
    return this.#mine().map((one) => one.container);
  }

  running(session: SessionAddress): Container | undefined {
    return this.containers().find((one) => one.session === session && one.state === 'running');
  }

  /** Every container that was ever started on the engine, oldest first. */
  get started(): readonly FakeStart[] {
    return this.#engine.started;
  }

  /** Every container that ended on the engine, oldest first. */
  get ended(): readonly FakeEnd[] {
    return this.#engine.ended;
  }

  /** Every call that was ever made on the engine, oldest first; also the refused ones. */
  get calls(): readonly { readonly call: FakeCall; readonly atMs: number }[] {
    return this.#engine.calls;
  }

  // --- the port

  async start(spec: ContainerSpec): Promise<StartResult> {
    await this.#enter('start');
    const detail = this.#engine.refused.get(spec.session);
    if (detail !== undefined) return { kind: 'refused', detail };
    const existing = this.#engine.byName.get(spec.name);
    if (existing !== undefined) return { kind: 'exists', container: existing.container };
    const one = this.#create(spec);
    const { container } = one;
    this.#engine.started.push({ spec, atMs: this.#engine.clock.now() });
    this.#engine.emit('started', one);
    if (one.program.exit !== undefined) this.#engine.exit(one, one.program.exit);
    return { kind: 'started', container };
  }

  async stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    await this.#enter('stop');
    const one = this.#engine.find(id, this.install);
    if (one?.container.state !== 'running') return { kind: 'gone' };
    if (this.#isUnstoppable(one)) return { kind: 'still_running', detail: `${one.container.name} survived KILL` };
    if (one.program.ignoresTerm === true) {
      await new Promise<void>((resolve) => this.#engine.clock.after(graceMs, resolve));
      this.#engine.exit(one, { exitCode: 137, signal: 'SIGKILL' }, 'stop');
    } else {
      this.#engine.exit(one, {}, 'stop');
    }
    return { kind: 'gone' };
  }

  async harvest({ id }: Container): Promise<ContainerEnd> {
    await this.#enter('harvest');
    const one = this.#engine.find(id, this.install);
    if (one === undefined) {
      return { exitCode: null, signal: null, oomKilled: false, finishedAtMs: null, output: '' };
    }
    if (one.container.state === 'created') {
      this.#engine.byName.delete(one.container.name);
      return { exitCode: null, signal: null, oomKilled: false, finishedAtMs: null, output: '' };
    }
    if (one.end === undefined) throw new NightporterError('refused', `container ${id} still runs`);
    this.#engine.byName.delete(one.container.name);
    return { ...one.end, output: tail(one.output, OUTPUT_LIMIT_BYTES) };
  }

  async remove(id: ContainerId): Promise<void> {
    await this.#enter('remove');
    const one = this.#engine.find(id, this.install);
    if (one === undefined) return;
    if (one.container.state === 'running' && this.#isUnstoppable(one)) {
      throw new RuntimeUnavailable(`${one.container.name} survived KILL`);
    }
    this.#engine.exit(one, { exitCode: 137, signal: 'SIGKILL' }, 'remove');
    this.#engine.byName.delete(one.container.name);
  }

  async list(): Promise<readonly Container[]> {
    await this.#enter('list');
    const truth = this.containers();
    return this.#engine.lie === undefined ? truth : this.#engine.lie(truth);
  }

  async inspect(name: string): Promise<Container | undefined> {
    await this.#enter('inspect');
    return this.#mine().find((one) => one.container.name === name)?.container;
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const engine = this.#engine;
    const subscriber: Subscriber = {
      install: this.install,
      queue: [],
      ended: signal.aborted || engine.isDown,
      wake: () => undefined,
    };
    if (!subscriber.ended) engine.subscribers.add(subscriber);
    const end = (): void => {
      subscriber.ended = true;
      subscriber.wake();
    };
    signal.addEventListener('abort', end);
    return drain(subscriber, () => {
      signal.removeEventListener('abort', end);
      engine.subscribers.delete(subscriber);
    });
  }

  async logs(id: ContainerId, maxBytes: number): Promise<string> {
    await this.#enter('logs');
    return tail(this.#engine.find(id, this.install)?.output ?? Buffer.alloc(0), maxBytes);
  }

  async ping(): Promise<RuntimeInfo> {
    await this.#enter('ping');
    return { description: 'fake engine', isolates: true };
  }

  prepare(): Promise<void> {
    return this.#enter('prepare');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #enter(call: FakeCall): Promise<void> {
    this.#engine.calls.push({ call, atMs: this.#engine.clock.now() });
    await this.#engine.hung.get(call);
    if (this.#engine.isDown) throw new RuntimeUnavailable('fake runtime: the engine is down');
    const error = this.#engine.failing.get(call)?.shift();
    if (error !== undefined) throw error;
  }

  #create(spec: ContainerSpec): FakeContainer {
    const engine = this.#engine;
    engine.ids += 1;
    const program = engine.programs.get(spec.session) ?? engine.program(spec);
    const one: FakeContainer = {
      container: {
        id: `fake-${String(engine.ids)}` as ContainerId,
        name: spec.name,
        install: spec.install,
        session: spec.session,
        epoch: spec.epoch,
        specHash: spec.specHash,
        state: 'running',
        startedAtMs: engine.clock.now(),
      },
      install: spec.install,
      program,
      output: Buffer.from(program.output ?? ''),
      end: undefined,
    };
    engine.byName.set(spec.name, one);
    return one;
  }

  #mine(): readonly FakeContainer[] {
    return [...this.#engine.byName.values()].filter((one) => one.install === this.install);
  }

  #require(session: SessionAddress): FakeContainer {
    const found = this.#mine().find((one) => one.container.session === session && one.container.state === 'running');
    if (found === undefined) throw new Error(`fake runtime: no container of ${session} runs`);
    return found;
  }

  #isUnstoppable({ container: { session } }: FakeContainer): boolean {
    return session !== undefined && this.#engine.unstoppable.has(session);
  }
}
