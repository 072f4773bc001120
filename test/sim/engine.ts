import type {
  Container,
  ContainerId,
  ContainerSpec,
  InstallId,
  StartResult,
  StopResult,
} from '../../src/ports/runtime.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { RuntimeUnavailable } from '../../src/protocol/errors.js';
import { FakeRuntime } from '../support/fake-runtime.js';
import type { FakeProgram } from '../support/fake-engine.js';
import { SimContainer } from './container.js';
import type { Truth } from './truth.js';
import type { World } from './world.js';

/** Whose containers are found and belong to nobody. */
export const STRAY = 'gone/away' as SessionAddress;

/** The engine, what runs on it, and another install's container. */
export class SimEngine {
  readonly runtime: FakeRuntime;
  readonly truth: Truth;
  isSlow = false;
  areEventsSilent = false;
  readonly #world: World;
  readonly #other: FakeRuntime;
  readonly #containers = new Map<string, SimContainer>();
  readonly #unstoppable = new Set<SessionAddress>();
  readonly #foreign = new Map<SessionAddress, boolean>();
  #isDown = false;

  constructor(world: World, install: InstallId, truth: Truth) {
    this.#world = world;
    this.truth = truth;
    const { timeline } = world;
    const clock = { now: () => timeline.wallMs, after: (ms: number, run: () => void) => timeline.at(ms, null, run) };
    this.runtime = new FakeRuntime({ install, clock, program: (spec) => this.#appear(spec) });
    this.#other = this.runtime.ofInstall('other-install' as InstallId);
    truth.watchEngine(this);
    world.onClockJump((wallMs) => {
      for (const one of this.live()) one.clockSet(wallMs);
    });
  }

  /** Nothing ends the session's container from outside. */
  unstoppable(session: SessionAddress, is: boolean): void {
    if (is) this.#unstoppable.add(session);
    else this.#unstoppable.delete(session);
    this.runtime.unstoppable(session, is);
  }

  /** Whose sessions' runners know no attempts; the same for all their incarnations. */
  isForeign(session: SessionAddress): boolean {
    const known = this.#foreign.get(session);
    if (known !== undefined) return known;
    const drawn = this.#world.chance.is(this.#world.habits.foreign);
    this.#foreign.set(session, drawn);
    return drawn;
  }

  live(): readonly SimContainer[] {
    return [...this.#containers.values()].filter((one) => !one.isDead);
  }

  find(id: ContainerId): SimContainer | undefined {
    const found = this.runtime.containers().find((one) => one.id === id);
    return found === undefined ? undefined : this.#containers.get(keyOf(found));
  }

  others(): readonly Container[] {
    return this.#other.containers();
  }

  /** Another install's container appears, of an address that this one knows too. */
  async plantOther(spec: ContainerSpec): Promise<void> {
    await this.#other.start({ ...spec, install: 'other-install' as InstallId, name: `np-other-${spec.name}` });
  }

  /** A container that carries our label, of whatever session. */
  async plantStray(spec: ContainerSpec): Promise<void> {
    await this.runtime.start(spec);
  }

  start(spec: ContainerSpec): Promise<StartResult> {
    return this.runtime.start(spec);
  }

  async stop(id: ContainerId, graceMs: number): Promise<StopResult> {
    this.#requireUp();
    const one = this.find(id);
    if (one !== undefined && !this.#unstoppable.has(one.session)) await one.term(graceMs);
    return this.runtime.stop(id, 0);
  }

  async remove(id: ContainerId): Promise<void> {
    this.#requireUp();
    const one = this.find(id);
    if (one !== undefined && !this.#unstoppable.has(one.session)) one.kill('host');
    await this.runtime.remove(id);
  }

  async list(): Promise<readonly Container[]> {
    const own = await this.runtime.list();
    return this.#world.habits.listIsUnfiltered ? [...own, ...this.#other.containers()] : own;
  }

  down(): void {
    this.#isDown = true;
    this.runtime.engine('down');
  }

  up(): void {
    this.#isDown = false;
    this.runtime.engine('up');
  }

  restart(): void {
    this.down();
    for (const one of this.live()) one.kill('engine');
  }

  #requireUp(): void {
    if (this.#isDown) throw new RuntimeUnavailable('the engine is down');
  }

  /** Called by the engine in the middle of a start. */
  #appear(spec: ContainerSpec): FakeProgram {
    if (spec.install !== this.runtime.install || spec.session === STRAY) return {};
    const one = new SimContainer(this.#world, this, spec);
    this.#containers.set(keyOf(spec), one);
    this.truth.started(one);
    one.boot();
    return {};
  }
}

function keyOf({ session, epoch }: Pick<Container, 'session' | 'epoch'>): string {
  return `${session ?? '?'} ${String(epoch)}`;
}
