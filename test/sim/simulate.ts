import { closeHandles } from './shared-handles.js';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { DeskApi } from '../../src/desk/api.js';
import type { Logger } from '../../src/observe/logs.js';
import { loadSettings } from '../../src/config/load.js';
import { epochOf } from '../../src/protocol/address.js';
import { openRegistry } from '../../src/store/registry/open-registry.js';
import { auditAtEnd, auditSpool } from './end-audit.js';
import { Chance } from './chance.js';
import { watchCommits } from './commits.js';
import { Disturbances, strayOf } from './disturbances.js';
import { SimEngine } from './engine.js';
import { drawHabits, good } from './habits.js';
import { SimHost } from './host.js';
import { Load } from './load.js';
import { Timeline } from './timeline.js';
import { Truth } from './truth.js';
import { BUSY_TURN_MS, HostGone, World } from './world.js';

export interface SimulationResult {
  readonly seed: number;
  /** null: nothing happened that must not. */
  readonly violation: string | null;
  readonly counts: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
  /** The same for every run of the seed. */
  readonly fingerprint: number;
  readonly simulatedMs: number;
}

export interface SimulateOptions {
  readonly seed: number;
  /** A folder of its own, in memory if possible; emptied before and after. */
  readonly folder: string;
  readonly isTraced?: boolean;
}

/** The clocks of Berlin change on these days, those of Lord Howe Island on the first Sundays of April and October. */
const STARTS = ['2026-03-29T00:40:00Z', '2026-10-25T00:40:00Z', '2026-04-04T14:40:00Z', '2026-06-10T11:59:30Z'];
const CHAOS_MS = [60_000, 180_000, 420_000];
/** How long everything that was accepted may take to end once all faults are over. */
const DRAIN_MS = 8 * 3_600_000;
const STEP_MS = 30_000;
/** Steps after which the operator looks again whether anything has to be let go on. */
const LET_GO_EVERY = 5;
/** Steps after which what takes nobody along gets company. */
const SENT_LAST = [1, 20, 100, 250, 400];
/** Nothing is due any more: containers have to be gone by then. */
const IDLE_MS = 120_000;

interface UpkeepFlags {
  readonly GC_INTERVAL_MS: number;
  readonly SESSION_CLOSE_AFTER_MS: number;
  readonly SESSION_DELETE_AFTER_MS: number;
}

/** In every fourth world sessions are closed and deleted. Drawn apart, so that the others are what they always were. */
function upkeepOf(seed: number): UpkeepFlags | null {
  if (seed % 4 !== 3) return null;
  const chance = new Chance(seed + 1_000_003);
  return {
    GC_INTERVAL_MS: chance.pick([10_000, 30_000]),
    SESSION_CLOSE_AFTER_MS: chance.pick([30_000, 60_000, 180_000]),
    SESSION_DELETE_AFTER_MS: chance.pick([20_000, 60_000, 240_000]),
  };
}

/** Thresholds in the proportions of the defaults, so that hours are minutes. */
function settingsOf(chance: Chance, dataDir: string, upkeep: UpkeepFlags | null) {
  const flags = {
    ...(upkeep ?? { SESSION_CLOSE_AFTER_MS: 0, SESSION_DELETE_AFTER_MS: 0 }),
    SWEEP_INTERVAL_MS: chance.pick([15_000, 30_000]),
    STALE_THRESHOLD_MS: 90_000,
    CLAIM_STUCK_MS: 30_000,
    ABSOLUTE_CEILING_MS: 300_000,
    NO_PROGRESS_MS: 240_000,
    NOT_CLAIMING_MS: 60_000,
    IDLE_TIMEOUT_MS: chance.pick([20_000, 60_000]),
    START_GRACE_MS: chance.pick([15_000, 60_000]),
    STOP_GRACE_MS: 5_000,
    MAX_TOOL_TIMEOUT_MS: 600_000,
    GUARD_PROBE_MS: 180_000,
    LOCKED_STOP_MS: 20_000,
    MAX_CLAIMS: chance.pick([1, 1, 3]),
    MAX_CONCURRENT_CONTAINERS: chance.pick([1, 2, 8]),
    ORPHANS: chance.pick(['adopt', 'adopt', 'remove']),
  };
  return loadSettings({ dataDir, configPath: undefined, env: {}, flags, readFile: () => undefined });
}

export async function simulate({ seed, folder, isTraced = false }: SimulateOptions): Promise<SimulationResult> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const chance = new Chance(seed);
  const timeline = new Timeline(Date.parse(chance.pick(STARTS)));
  const letGo = timeline.takeOver();
  try {
    return await new Simulation(seed, chance, timeline, folder, isTraced).run();
  } finally {
    letGo();
    watchCommits(null);
    closeHandles();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One world and its story. */
export class Simulation {
  readonly world: World;
  readonly truth: Truth;
  readonly engine: SimEngine;
  readonly load: Load;
  host: SimHost | null = null;
  readonly #seed: number;
  readonly #log: Logger;

  constructor(seed: number, chance: Chance, timeline: Timeline, folder: string, isTraced: boolean) {
    this.#seed = seed;
    const dataDir = join(folder, 'data');
    const habits = drawHabits(chance);
    const upkeep = upkeepOf(seed);
    const settings = settingsOf(chance, dataDir, upkeep);
    this.world = new World({ seed, dataDir, timeline, chance, settings, habits, isTraced, hasUpkeep: upkeep !== null });
    timeline.turnMs = () => (this.world.isHostBusy && chance.is(0.5) ? chance.int(0, BUSY_TURN_MS) : 0);
    prepareDataDir(folder, dataDir);
    const registry = openRegistry({ dataDir, mode: 'write' });
    const { install } = registry;
    registry.close();
    this.truth = new Truth(this.world);
    this.engine = new SimEngine(this.world, install, this.truth);
    this.load = new Load(this.world, this.truth, () => this.host);
    this.#log = isTraced
      ? pino({ level: 'info', base: null, timestamp: false }, this.#traced())
      : pino({ level: 'silent' });
  }

  async run(): Promise<SimulationResult> {
    const { world } = this;
    const { timeline, chance } = world;
    watchCommits({
      changed: (file) => {
        if (file === 'registry.db') world.registryChanges += 1;
      },
      before: (file) => {
        world.beforeCommit(file);
      },
      after: (file) => {
        world.afterCommit(file);
      },
    });
    const isOver = (): boolean => world.violation !== null;
    const after = (): void => undefined;
    await this.engine.plantOther(
      strayOf(this.engine.runtime.install, this.load.sessions[0] ?? ('a/one' as never), epochOf(3)),
    );
    this.#boot(0);
    const chaosMs = chance.pick(CHAOS_MS);
    this.load.plan(chaosMs);
    const disturbances = new Disturbances(this);
    disturbances.begin();
    await timeline.run(timeline.monotonicMs + chaosMs, after, isOver);

    world.note('quiet');
    world.isQuiet = true;
    Object.assign(world.habits, good(world.habits));
    disturbances.end();
    if (!isOver()) await this.#drain(after, isOver);
    if (!isOver()) await auditAtEnd(this);
    this.host?.bury();
    return {
      seed: this.#seed,
      violation: world.violation?.message ?? null,
      counts: world.counts,
      trace: world.trace,
      fingerprint: world.fingerprint,
      simulatedMs: timeline.monotonicMs,
    };
  }

  /** The daemon ends in an orderly way, and is started again. */
  stopHost(): void {
    const { host } = this;
    if (host === null || host.isDead) return;
    const ended = Promise.all([host.upkeep?.stop(), host.rounds.stop()]);
    ended.then(
      () => {
        host.die('stopped');
      },
      () => {
        host.die('stopped, badly');
      },
    );
  }

  async #drain(after: () => void, isOver: () => boolean): Promise<void> {
    const { timeline } = this.world;
    const go = (forMs: number): Promise<void> => timeline.run(timeline.monotonicMs + forMs, after, isOver);
    const step = async (work: (api: DeskApi) => Promise<void>): Promise<void> => {
      if (this.host !== null) work(this.host.api).catch(() => undefined);
      await go(STEP_MS);
    };
    await go(STEP_MS);
    await step((api) => this.load.letGo(api));
    // Series go on for a while.
    if (this.truth.serieses.size > 0) await go(5 * STEP_MS);
    const untilMs = timeline.monotonicMs + DRAIN_MS;
    for (let rounds = 0; timeline.monotonicMs < untilMs && !isOver();) {
      if (rounds % LET_GO_EVERY === 0) {
        await step((api) => this.load.letGo(api));
        await step((api) => this.load.cancelAll(api));
      } else {
        await go(2 * STEP_MS);
      }
      if (this.truth.unfinished().length > 0) {
        rounds += 1;
        if (SENT_LAST.includes(rounds)) this.load.sendLast();
        continue;
      }
      await go(IDLE_MS);
      return;
    }
    if (isOver()) return;
    const left = this.truth
      .unfinished()
      .map(({ id, session }) => `${id} of ${session}`)
      .slice(0, 5);
    this.world.violate(
      `all faults are over for ${String(DRAIN_MS / 3_600_000)} hours, and these have not ended: ${left.join(', ')}`,
    );
  }

  #boot(delayMs: number): void {
    const { world } = this;
    world.timeline.at(delayMs, null, () => {
      let host: SimHost;
      try {
        host = new SimHost(world, this.engine, this.truth, this.#log, (dead) => {
          if (this.host === dead) this.host = null;
          this.#buryLater(dead);
        });
      } catch (error) {
        world.note('host does not start', () => String(error));
        if (!(error instanceof HostGone) && !world.isDiskFull) throw error;
        this.#boot(5_000);
        return;
      }
      if (host.isDead) return;
      this.host = host;
      world.note('host starts');
      host.upkeep?.start();
      host.rounds.start().catch((error: unknown) => {
        if (!(error instanceof HostGone) && !host.isDead) world.violate(`the host does not start: ${String(error)}`);
      });
    });
  }

  /** Its handles are closed when nothing of it is on the stack any more; then the next one comes. */
  #buryLater(dead: SimHost): void {
    const { world } = this;
    world.timeline.at(0, null, () => {
      dead.bury();
      this.truth.hostGone();
      auditSpool(this.truth);
      this.#boot(world.isQuiet ? 1_000 : world.chance.pick([100, 2_000, world.chance.int(1_000, 90_000)]));
    });
  }

  #traced() {
    return {
      write: (line: string): void => {
        this.world.trace.push(
          `${(this.world.timeline.monotonicMs / 1000).toFixed(3).padStart(10)} s    ${line.trim()}`,
        );
      },
    };
  }
}

const prepared = new Set<string>();

/** A registry that is there already: its migrations are not what is simulated. */
function prepareDataDir(folder: string, dataDir: string): void {
  const template = `${folder}-template`;
  if (!prepared.has(template)) {
    rmSync(template, { recursive: true, force: true });
    openRegistry({ dataDir: template, mode: 'write' }).close();
    prepared.add(template);
  }
  cpSync(template, dataDir, { recursive: true });
}
