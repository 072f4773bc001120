import { epochOf } from '../../src/protocol/address.js';
import type { Epoch, SessionAddress } from '../../src/protocol/address.js';
import { containerName } from '../../src/rounds/container-spec.js';
import type { ContainerSpec, InstallId } from '../../src/ports/runtime.js';
import { RUNNER_ENV } from '../../src/protocol/workspace.js';
import { STRAY } from './engine.js';
import type { FaultName } from './habits.js';
import type { Simulation } from './simulate.js';
import type { Target } from './world.js';

const HOUR_MS = 3_600_000;

/** What befalls the world, drawn by the habits of a seed, until it is quiet. */
export class Disturbances {
  readonly #sim: Simulation;

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  begin(): void {
    const { chance, habits, timeline } = this.#sim.world;
    if (habits.faultEveryMs === 0) return;
    this.#sim.world.onOccurrence((session) => {
      if (habits.faults.kill_at_commit > 0 && chance.is(0.3))
        this.#killAtCommit({ operation: chance.pick(['settle', 'change', 'change']), session });
    });
    this.#sim.world.onSilence((_, limitMs) => {
      if (habits.faults.busy_host === 0) return;
      timeline.at(limitMs, null, () => {
        this.#keepBusy(this.#sim.world.settings.sweepIntervalMs);
      });
    });
    const next = (): void => {
      timeline.at(chance.int(1, 2 * habits.faultEveryMs), null, () => {
        if (this.#sim.world.isQuiet) return;
        this.#strike(chance.weighted(habits.faults));
        next();
      });
    };
    next();
  }

  /** Everything is put right again. */
  end(): void {
    const { world, engine } = this.#sim;
    world.isDiskFull = false;
    world.areFilesSlow = false;
    if (world.isHostBusy) world.hostBusyMs = world.timeline.monotonicMs;
    world.isHostBusy = false;
    world.killAtCommit = null;
    for (const [session, lock] of world.locks) if (lock.byEpoch === null) world.locks.delete(session);
    engine.up();
    engine.isSlow = false;
    engine.areEventsSilent = false;
    for (const session of this.#sim.load.sessions) {
      engine.unstoppable(session, false);
      engine.runtime.refuse(session, undefined);
    }
    const { host } = this.#sim;
    if (host !== null) host.frozenUntilMs = 0;
    // Mostly: to wait until the host has found out about each takes most of a world's time.
    if (world.chance.is(0.75)) for (const one of engine.live()) if (one.hangs) one.kill('self');
  }

  #strike(fault: FaultName): void {
    const { world, engine, load } = this.#sim;
    const { chance, timeline } = world;
    const session = chance.pick(load.sessions);
    world.note(`fault ${fault}`);
    const soon = (run: () => void): void => {
      timeline.at(chance.int(500, 60_000), null, run);
    };
    switch (fault) {
      case 'kill_host':
        this.#sim.host?.die('killed');
        return;
      case 'kill_at_commit':
        this.#killAtCommit(chance.pick([null, null, ...['settle', 'settle', 'change', 'changeSeries'].map(anyOf)]));
        return;
      case 'stop_host':
        this.#sim.stopHost();
        return;
      case 'freeze_host':
        this.#freezeHost(chance.int(1_000, 200_000));
        return;
      case 'busy_host':
        this.#keepBusy(chance.int(5_000, 60_000));
        return;
      case 'engine_down':
        engine.down();
        soon(() => {
          engine.up();
        });
        return;
      case 'engine_restart':
        engine.restart();
        soon(() => {
          engine.up();
        });
        return;
      case 'engine_slow':
        engine.isSlow = true;
        soon(() => {
          engine.isSlow = false;
        });
        return;
      case 'events_end':
        engine.runtime.endEvents();
        return;
      case 'events_silent':
        engine.areEventsSilent = true;
        soon(() => {
          engine.areEventsSilent = false;
        });
        return;
      case 'clock_jump':
        world.jumpClock(chance.pick([-HOUR_MS, HOUR_MS, chance.int(-20_000, 20_000)]));
        return;
      case 'night_slept':
        world.jumpClock(chance.int(6, 10) * HOUR_MS);
        return;
      case 'disk_full':
        world.isDiskFull = true;
        soon(() => {
          world.isDiskFull = false;
        });
        return;
      case 'files_locked':
        world.locks.set(session, {
          untilMs: timeline.monotonicMs + chance.int(500, 60_000),
          byEpoch: null,
        });
        return;
      case 'files_slow':
        world.areFilesSlow = true;
        soon(() => {
          world.areFilesSlow = false;
        });
        return;
      case 'kill_container':
      case 'freeze_container':
      case 'unstoppable':
        this.#strikeContainer(fault, soon);
        return;
      case 'refused':
        engine.runtime.refuse(session, 'no such image');
        soon(() => {
          engine.runtime.refuse(session, undefined);
        });
        return;
      case 'hints':
        for (let count = 0; count < 5; count += 1) this.#sim.host?.rounds.hint(session);
        return;
      case 'stray':
        this.#stray();
        return;
    }
  }

  #keepBusy(forMs: number): void {
    const { world } = this.#sim;
    world.isHostBusy = !world.isQuiet;
    world.timeline.at(forMs, null, () => {
      world.isHostBusy = false;
      world.hostBusyMs = world.timeline.monotonicMs;
    });
  }

  #killAtCommit(target: Target | null): void {
    const { world } = this.#sim;
    const side = world.chance.pick(['before', 'after'] as const);
    world.killAtCommit = { left: world.chance.int(1, target === null ? 12 : 3), side, target };
  }

  #freezeHost(forMs: number): void {
    const { world, host } = this.#sim;
    if (host === null) return;
    host.frozenUntilMs = world.timeline.monotonicMs + forMs;
    world.unsteadyFor(2 * forMs);
  }

  #strikeContainer(
    fault: 'kill_container' | 'freeze_container' | 'unstoppable',
    soon: (run: () => void) => void,
  ): void {
    const { world, engine } = this.#sim;
    const live = engine.live();
    if (live.length === 0) return;
    const one = world.chance.pick(live);
    if (fault === 'kill_container') one.kill('self');
    else if (fault === 'freeze_container') one.freeze(world.chance.int(1_000, 300_000));
    else {
      engine.unstoppable(one.session, true);
      soon(() => {
        engine.unstoppable(one.session, false);
      });
    }
  }

  /** A container that an earlier life left behind, of a session that is not known any more. */
  #stray(): void {
    const { engine } = this.#sim;
    engine.plantStray(strayOf(engine.runtime.install, STRAY, epochOf(1))).catch(() => undefined);
  }
}

function anyOf(operation: string): Target {
  return { operation, session: null };
}

/** Like one that this host would start, under a name of its own. */
export function strayOf(install: InstallId, session: SessionAddress, epoch: Epoch): ContainerSpec {
  return {
    ...{ name: `${containerName(install, session)}-stray`, install, session, epoch, specHash: 'of old' },
    ...{ image: undefined, command: undefined, inDir: '/in', outDir: '/out', hostDir: '/host', network: 'none' },
    environment: { [RUNNER_ENV.heartbeatMs]: '10000', [RUNNER_ENV.maxClaims]: '1' },
    limits: { memoryBytes: 1, cpus: 1, pids: 1 },
  };
}
