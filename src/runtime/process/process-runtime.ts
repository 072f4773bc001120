import { access, constants, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';
import { LoopTurns } from '../../protocol/loop-turns.js';
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
} from '../../ports/runtime.js';
import type { Logger } from '../../observe/logs.js';
import { ContainerFinder, runnerOf, toContainer } from './container-finder.js';
import { withDeadline } from './deadline.js';
import { endMarked, KILL_CONFIRM_MS, killGroup, until, untilRecorded, voidStart } from './end-container.js';
import { EventHub } from './event-hub.js';
import { errorCode } from './json-record.js';
import { ShimLauncher } from './launch-shim.js';
import type { LaunchedShim } from './launch-shim.js';
import { readExit } from './observe-container.js';
import { readOutputTail } from './output-tail.js';
import { currentBootId, identifySelf, isAlive, signalProcess } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';
import { formatLabels, labelsOf, MARKER_VARIABLE } from './process-marker.js';
import type { Labels } from './process-marker.js';
import { isFileName, newContainerId, RunIndex } from './run-index.js';
import type { IndexEntry } from './run-index.js';

export interface ProcessRuntimeOptions {
  /** Absolute. The index of containers is kept in its folder `run`. */
  readonly dataDir: string;
  readonly install: InstallId;
  /** Compiled shim.js. */
  readonly shimEntry: string;
  /** What Node runs in every container. */
  readonly runnerEntry: string;
  /** The Node executable for shim and runner. */
  readonly nodePath: string;
  /** For every call; a stop has its grace on top. */
  readonly deadlineMs: number;
  readonly log: Pick<Logger, 'warn'>;
  /** Shared with whoever else starts processes; default: its own. */
  readonly turns?: LoopTurns;
}

const OUTPUT_LIMIT_BYTES = 64 * 1024;
const UNKNOWN_END: ContainerEnd = { exitCode: null, signal: null, oomKilled: false, finishedAtMs: null, output: '' };

/**
 * Containers as plain process groups, each under a shim that outlives this process. Does not isolate: limits, network
 * and read-only folders of a spec have no effect. State is read from files and /proc at every call, never from memory.
 */
export class ProcessRuntime implements Runtime {
  readonly kind = 'process';
  readonly #options: ProcessRuntimeOptions;
  readonly #index: RunIndex;
  readonly #finder: ContainerFinder;
  readonly #launcher: ShimLauncher;
  readonly #hub = new EventHub();
  /** Shims that this process started: their end need not be polled for. */
  readonly #shims = new Map<ContainerId, Promise<void>>();
  readonly #starting = new Set<ContainerId>();
  readonly #harvests = new Map<ContainerId, Promise<ContainerEnd>>();
  readonly #leavings = new Set<Promise<void>>();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#launcher = new ShimLauncher(options.nodePath, options.shimEntry, options.turns ?? new LoopTurns());
    this.#index = new RunIndex(options.dataDir, options.install);
    this.#finder = new ContainerFinder(this.#index, options.install, (entry) => this.#mayStart(entry));
  }

  start(spec: ContainerSpec): Promise<StartResult> {
    return this.#call('start', (signal) => this.#start(spec, signal));
  }

  stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    return this.#call('stop', () => this.#stop(id, graceMs), graceMs + KILL_CONFIRM_MS);
  }

  harvest(container: Container): Promise<ContainerEnd> {
    return this.#call('harvest', () => {
      const harvest =
        this.#harvests.get(container.id) ??
        this.#harvest(container.id).finally(() => this.#harvests.delete(container.id));
      this.#harvests.set(container.id, harvest);
      return harvest;
    });
  }

  remove(id: ContainerId): Promise<void> {
    return this.#call('remove', async () => {
      const stopped = await this.#stop(id, 0);
      if (stopped.kind === 'still_running') throw new RuntimeUnavailable(`process runtime: ${stopped.detail}`);
      await this.#discard(id);
    });
  }

  list(): Promise<readonly Container[]> {
    return this.#call('list', () => this.#list());
  }

  inspect(name: string): Promise<Container | undefined> {
    return this.#call('inspect', async () => {
      const found = await this.#finder.byName(name);
      return found === undefined ? undefined : toContainer(found);
    });
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.subscribe(signal, signal.aborted ? Promise.resolve() : this.list());
  }

  logs(id: ContainerId, maxBytes: number): Promise<string> {
    return this.#call('logs', async () => {
      const entry = await this.#index.findById(id);
      return entry === undefined ? '' : readOutputTail(entry.folder, maxBytes);
    });
  }

  ping(): Promise<RuntimeInfo> {
    return this.#call('ping', async () => {
      await currentBootId();
      return {
        description: 'plain processes of this machine, not isolated from it or from each other',
        isolates: false,
      };
    });
  }

  prepare(): Promise<void> {
    return this.#call('prepare', async () => {
      for (const [what, path] of this.#programs()) {
        if (await isMissing(path))
          throw new NightporterError('failed', `${what} ${path} is missing: build or install again`);
      }
      await this.#index.removeTemporaries();
      void this.#launcher.prepare();
    });
  }

  /** Containers run on. */
  async close(): Promise<void> {
    this.#hub.close();
    this.#launcher.close();
    await Promise.all(this.#leavings);
  }

  async #start(spec: ContainerSpec, signal: AbortSignal): Promise<StartResult> {
    const refusal = await this.#refusal(spec);
    if (refusal !== undefined) return { kind: 'refused', detail: refusal };

    const id = newContainerId(spec.name);
    const runsDir = join(spec.hostDir, 'run');
    const entry: IndexEntry = {
      name: spec.name,
      labels: labelsOf(id, spec),
      folder: join(runsDir, id),
      createdAtMs: Date.now(),
      creator: await identifySelf(),
    };
    this.#starting.add(id);
    try {
      const existing = await this.#claimName(entry);
      if (existing !== undefined) return existing;
      const { answer, exited } = await this.#launch(entry, spec, signal);
      if (answer.kind !== 'started') {
        await this.#discard(id);
        if (answer.kind === 'refused') return { kind: 'refused', detail: answer.detail };
        const detail = answer.kind === 'void' ? `${spec.name} was removed while it started` : answer.detail;
        throw new RuntimeUnavailable(`process runtime: ${detail}`);
      }
      this.#follow(entry, exited, answer.runner.runner);
      this.#sweepFolder(runsDir, id);
      const observed = { state: 'running', ...answer.runner } as const;
      const started = { kind: 'indexed', labels: entry.labels, entry, observed } as const;
      return { kind: 'started', container: await toContainer(started) };
    } finally {
      this.#starting.delete(id);
    }
  }

  async #launch(entry: IndexEntry, spec: ContainerSpec, signal: AbortSignal): Promise<LaunchedShim> {
    try {
      await mkdir(entry.folder, { recursive: true, mode: 0o700 });
      return await this.#launcher.launch(
        {
          folder: entry.folder,
          runner: spec.command ?? [this.#options.nodePath, this.#options.runnerEntry],
          cwd: spec.outDir,
          environment: { ...spec.environment, [MARKER_VARIABLE]: formatLabels(entry.labels) },
        },
        signal,
      );
    } catch (error) {
      await this.#discard(entry.labels.id);
      throw error;
    }
  }

  /** Undefined: the name is ours. */
  async #claimName(entry: IndexEntry): Promise<StartResult | undefined> {
    for (;;) {
      const created = await this.#index.create(entry);
      if (created.kind === 'created') break;
      const { by } = created;
      if (by === undefined) continue;
      if (by.labels.install !== this.#options.install) {
        return { kind: 'refused', detail: `the name ${entry.name} is taken by another install on this data dir` };
      }
      return { kind: 'exists', container: await toContainer(await this.#finder.observe(by)) };
    }
    // A runner whose files are lost holds its name all the same.
    const stray = await this.#finder.strayByName(entry.name);
    if (stray === undefined) return undefined;
    await this.#index.release(entry);
    return { kind: 'exists', container: await toContainer(stray) };
  }

  async #refusal(spec: ContainerSpec): Promise<string | undefined> {
    if (spec.image !== undefined) {
      return `a session with an image never runs on the process runtime: ${spec.image}`;
    }
    if (!isFileName(spec.name)) return `not a container name: ${spec.name}`;
    if (spec.install !== this.#options.install) return `the spec is of another install: ${spec.install}`;
    for (const [what, path] of [...this.#programs(), ['the workspace', spec.outDir] as const]) {
      if (await isMissing(path)) return `${what} is missing: ${path}`;
    }
    return undefined;
  }

  #programs(): readonly (readonly [string, string])[] {
    const { nodePath, shimEntry, runnerEntry } = this.#options;
    return [
      ['the Node executable', nodePath],
      ['the shim', shimEntry],
      ['the runner', runnerEntry],
    ];
  }

  async #stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    const found = await this.#finder.byId(id);
    if (found === undefined) return { kind: 'gone' };
    const runner = runnerOf(found);
    if (runner !== undefined && !(await this.#endRunner(id, runner, graceMs))) {
      return { kind: 'still_running', detail: `process ${String(runner.pid)} of ${id} survived KILL` };
    }
    if (found.kind === 'indexed') {
      if (found.observed.state === 'created') await voidStart(found.entry);
      else await untilRecorded(found.entry.folder, this.#shims.get(id));
    }
    // The shim kills what its runner left in the group; this is for what left the group, and for lost shims.
    if (await endMarked(this.#options.install, id)) return { kind: 'gone' };
    return { kind: 'still_running', detail: `processes of ${id} survived KILL` };
  }

  /** TERM, grace, KILL. False: it still runs. */
  async #endRunner(id: ContainerId, runner: ProcessIdentity, graceMs: number): Promise<boolean> {
    const isGone = async (): Promise<boolean> => !(await isAlive(runner));
    const exited = this.#shims.get(id);
    if (graceMs > 0) {
      await signalProcess(runner, 'SIGTERM');
      if (await until(isGone, graceMs, exited)) return true;
    }
    await killGroup(runner);
    return until(isGone, KILL_CONFIRM_MS, exited);
  }

  async #harvest(id: ContainerId): Promise<ContainerEnd> {
    const found = await this.#finder.byId(id);
    if (found === undefined) return UNKNOWN_END;
    if (found.kind === 'stray' || runnerOf(found) !== undefined) {
      throw new NightporterError('refused', `container ${id} still runs: stop it before it is harvested`);
    }
    const { entry, observed } = found;
    if (observed.state === 'created') await voidStart(entry);
    else await untilRecorded(entry.folder, this.#shims.get(id));
    const exit = await readExit(entry.folder);
    const output = await readOutputTail(entry.folder, OUTPUT_LIMIT_BYTES);
    await this.#discard(id);
    return { ...UNKNOWN_END, ...exit, output };
  }

  /** Ends what is left of it, frees the name, and deletes its folder in the background. */
  async #discard(id: ContainerId): Promise<void> {
    const entry = await this.#index.findById(id);
    if (entry !== undefined) await voidStart(entry);
    await endMarked(this.#options.install, id);
    if (entry === undefined) return;
    await this.#index.release(entry);
    this.#deleteFolder(entry.folder);
  }

  async #list(): Promise<readonly Container[]> {
    const all = await this.#finder.all();
    for (const found of all) {
      const runner = runnerOf(found);
      if (runner !== undefined) this.#watch(found.labels, runner);
    }
    return Promise.all(all.map(toContainer));
  }

  /** Whether a shim may still come for an entry that none has taken yet. */
  async #mayStart({ labels, createdAtMs, creator }: IndexEntry): Promise<boolean> {
    if (this.#starting.has(labels.id)) return true;
    const ageMs = Math.abs(Date.now() - createdAtMs);
    return ageMs < this.#options.deadlineMs * 2 && (await isAlive(creator));
  }

  /** A child's end is known at once. A runner that survives its shim is watched like one of an earlier daemon. */
  #follow({ labels }: IndexEntry, exited: Promise<void>, runner: ProcessIdentity): void {
    this.#shims.set(labels.id, exited);
    this.#emit('started', labels);
    void exited.then(async () => {
      this.#shims.delete(labels.id);
      if (!(await isAlive(runner))) this.#emit('exited', labels);
      else {
        this.#options.log.warn(
          { session: labels.session, epoch: labels.epoch, containerId: labels.id },
          'shim ended before its runner',
        );
        this.#watch(labels, runner);
      }
    });
  }

  #watch({ id, session, epoch }: Labels, runner: ProcessIdentity): void {
    if (session === undefined || this.#shims.has(id)) return;
    this.#hub.watch(id, { session, epoch }, runner);
  }

  #emit(kind: RuntimeEvent['kind'], { session, epoch }: Labels): void {
    if (session !== undefined) this.#hub.emit({ kind, session, epoch });
  }

  /** Folders of earlier containers of the session, left by a crash between freeing the name and deleting them. */
  #sweepFolder(runsDir: string, present: ContainerId): void {
    this.#background(async () => {
      for (const folder of await readdir(runsDir)) {
        if (folder !== present) await rm(join(runsDir, folder), { recursive: true, force: true });
      }
    });
  }

  #deleteFolder(folder: string): void {
    this.#background(() => rm(folder, { recursive: true, force: true }));
  }

  #background(work: () => Promise<void>): void {
    const done = work()
      .catch((err: unknown) => {
        this.#options.log.warn({ err }, 'leavings of a container not deleted');
      })
      .finally(() => this.#leavings.delete(done));
    this.#leavings.add(done);
  }

  #call<T>(what: string, call: (signal: AbortSignal) => Promise<T>, extraMs = 0): Promise<T> {
    return withDeadline(what, this.#options.deadlineMs + extraMs, call);
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return false;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return true;
    throw error;
  }
}
