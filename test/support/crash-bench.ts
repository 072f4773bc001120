import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CrashScenario } from './crash-scenarios.js';
import type { Stage } from './crash-steps.js';
import type { FakeSnapshot } from './fake-engine.js';
import { FakeRuntime } from './fake-runtime.js';
import { isLive, findFiles } from './found-files.js';
import { breachesAtRest } from './invariants.js';
import type { Kept } from './invariants.js';
import { ManualClock } from './manual-clock.js';
import { newStory, PlayedRunners } from './played-runners.js';
import type { Story } from './played-runners.js';
import { TestPorter } from './porter.js';
import type { PorterOptions } from './porter.js';

/** Rounds within which everything that can end has ended. */
const MOST_ROUNDS = 40;
const LEAST_STEP_MS = 1_000;
const MOST_STEP_MS = 60_000;
/** MAX_TRIES, which no scenario sets. */
const DEFAULT_MAX_TRIES = 5;

/** A fake engine, a story and a time: with the data dir all that outlives a host. */
export interface World {
  readonly engine: FakeSnapshot;
  readonly story: Story;
  readonly nowMs: number;
}

/** In memory, where there is some: nothing here asks what a disk does. */
export function memoryFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'np-crash-'));
}

/** A scenario's beginning, made once and taken up again as often as wanted: always at the same place, which the install id is bound to. */
export class CrashBench {
  readonly scenario: CrashScenario;
  readonly folder: string;
  readonly dataDir: string;
  readonly #template: string;
  #world: World | undefined;

  private constructor(scenario: CrashScenario, folder: string) {
    this.scenario = scenario;
    this.folder = folder;
    this.dataDir = join(folder, 'data');
    this.#template = join(folder, 'template');
  }

  static fresh(scenario: CrashScenario): CrashBench {
    const bench = new CrashBench(scenario, memoryFolder());
    mkdirSync(bench.dataDir);
    return bench;
  }

  /** That of another process. */
  static at(scenario: CrashScenario, folder: string): CrashBench {
    return new CrashBench(scenario, folder);
  }

  async arrange(): Promise<void> {
    const stage = this.open(newStory(), {});
    const { p, runners } = stage;
    await this.scenario.arrange(stage);
    await p.rounds.stop();
    p.abandon();
    cpSync(this.dataDir, this.#template, { recursive: true });
    const nowMs = p.clock.now() + (this.scenario.laterMs ?? 0);
    this.#world = { engine: p.runtime.snapshot(), story: runners.story, nowMs };
  }

  /** Everything as it was when the first host had ended. */
  again(): World {
    if (this.#world === undefined) throw new Error('arrange first');
    for (const name of readdirSync(this.dataDir)) rmSync(join(this.dataDir, name), { recursive: true });
    cpSync(this.#template, this.dataDir, { recursive: true });
    return structuredClone(this.#world);
  }

  /** A host over what the last one left. */
  open(story: Story, options: PorterOptions): Stage {
    const { settings = {}, parts } = this.scenario;
    const p = new TestPorter({
      dataDir: this.dataDir,
      settings: { IDLE_TIMEOUT_MS: 20_000, ...settings },
      files: 'in_process',
      ...options,
    });
    return { p, runners: new PlayedRunners(story, parts) };
  }

  /** The same in a world as it was found. */
  openIn({ engine, story, nowMs }: World, options: Pick<PorterOptions, 'ports' | 'files'> = {}): Stage {
    const clock = new ManualClock(nowMs);
    const runtime: PorterOptions['runtime'] = (install) => FakeRuntime.restored(engine, { install, clock });
    return this.open(story, { clock, runtime, ...options });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Rounds, with runners at work, until nothing is left to do; how many. `afterEach` is called after each. */
export async function toRest({ p, runners }: Stage, afterEach: () => void = () => undefined): Promise<number> {
  let idleRounds = 0;
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    await p.round();
    afterEach();
    runners.step(p);
    idleRounds = p.running().length === 0 ? idleRounds + 1 : 0;
    await p.pass(untilNextMs(p, idleRounds));
    if (isAtRest(p)) return round;
  }
  throw new Error(
    `not at rest after ${String(MOST_ROUNDS)} rounds: ${breachesAtRest(keptBy(p), runners.story).join('; ')}`,
  );
}

/**
 * A second while there is something to do, longer and longer where nothing runs for it (it waits for its provider); else until
 * there is, at most the time between two rounds.
 */
function untilNextMs({ registry, clock }: TestPorter, idleRounds: number): number {
  const nowMs = clock.now();
  const isBusy = registry.dueSessions(nowMs, 1).length > 0;
  const nextMs = isBusy ? undefined : registry.nextDueAfter(nowMs);
  if (isBusy) return Math.min(LEAST_STEP_MS * 2 ** Math.max(0, idleRounds - 1), MOST_STEP_MS);
  return Math.min(Math.max((nextMs ?? Infinity) - nowMs, LEAST_STEP_MS), MOST_STEP_MS);
}

function isAtRest(p: TestPorter): boolean {
  const { messages } = p.registry.totals();
  if (p.running().length > 0 || messages.spooled > 0 || messages.processing > 0) return false;
  if (p.registry.openIncarnations().length > 0) return false;
  return findFiles(p.dataDir, p.registry).every((one) =>
    one.messages.every((row) => row.status !== 'pending' || isLive(row) || row.trigger === 0),
  );
}

/** What came of all messages, whenever it came. */
export function outcomes(p: TestPorter): unknown {
  return findFiles(p.dataDir, p.registry).map(({ session, messages }) => ({
    session,
    messages: messages
      .map((row) => [row.id, row.status, row.tries, row.deferrals, row.occurrence, isLive(row)])
      .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
  }));
}

export function keptBy(p: TestPorter): Kept {
  return { dataDir: p.dataDir, registry: p.registry, runtime: p.runtime, clock: p.clock, maxTries: DEFAULT_MAX_TRIES };
}
