import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SessionAddress } from '../../src/protocol/address.js';
import type { SimContainer } from './container.js';
import type { World } from './world.js';

interface Row {
  /** Those containers, in a row, that ended by themselves before a claim. */
  fruitless: { readonly epoch: number; readonly startedMs: number }[];
  lastStartWallMs: number;
  jumpsAtLastStart: number;
  /** Of the newest container. */
  epoch: number;
  /** It was begun before a jump of the clock, perhaps. */
  wasUnsteady: boolean;
}

/** An engine may take as long as the host waits for it: one start comes late, the next at once. */
const SLACK_MS = 30_000;

/** Counts fruitless starts as they really were: L17, whatever hosts were killed in between. */
export class StartLedger {
  readonly #world: World;
  readonly #rows = new Map<SessionAddress, Row>();

  constructor(world: World) {
    this.#world = world;
  }

  started({ session, epoch }: SimContainer): void {
    const { settings, timeline, clockJumps, engineFailedMs } = this.#world;
    const row = this.#rowOf(session);
    // One that a host asked for who was killed, and that the engine starts after others: nobody waited for it.
    if (epoch < row.epoch) return;
    row.epoch = epoch;
    // Whether those ended with the engine nobody can tell.
    const fruitless = row.fruitless.filter(({ startedMs }) => startedMs > engineFailedMs);
    const most = settings.guardMaxRestarts + 1;
    const waitedMs = timeline.wallMs - row.lastStartWallMs;
    // A clock that was set lets probes come early or late.
    const isEarly =
      waitedMs + SLACK_MS < settings.guardProbeMs && row.jumpsAtLastStart === clockJumps && !row.wasUnsteady;
    if (fruitless.length >= most && isEarly) {
      const untold = this.#untold(session);
      const told = fruitless.filter((one) => !untold.has(one.epoch)).length;
      if (told >= most) {
        this.#world.violate(
          `${session} is started again ${String(waitedMs)} ms after ${String(told)} starts that claimed nothing`,
        );
      }
    }
    row.lastStartWallMs = timeline.wallMs;
    row.jumpsAtLastStart = clockJumps;
    row.wasUnsteady = this.#world.isClockUnsteady;
  }

  died({ session, epoch, hasClaimed, startedMonotonicMs }: SimContainer, isHostCaused: boolean): void {
    const row = this.#rowOf(session);
    if (epoch < row.epoch) return;
    if (hasClaimed) row.fruitless = [];
    else if (!isHostCaused) row.fruitless.push({ epoch, startedMs: startedMonotonicMs });
  }

  released(session: SessionAddress): void {
    this.#rowOf(session).fruitless = [];
  }

  /** Its session is deleted: what comes under its name has never been started. */
  forget(session: SessionAddress): void {
    this.#rows.delete(session);
  }

  /** Incarnations of which the host never learned how they ended: it died, or could not write it down, and they were gone then. */
  #untold(session: SessionAddress): ReadonlySet<number> {
    const db = new Database(join(this.#world.dataDir, 'registry.db'), { readonly: true });
    try {
      const ended = db.prepare<[string], number>(
        'SELECT epoch FROM incarnations WHERE session = ? AND stopped_at IS NOT NULL AND exit_code IS NULL AND signal IS NULL',
      );
      return new Set(ended.pluck().all(session));
    } finally {
      db.close();
    }
  }

  #rowOf(session: SessionAddress): Row {
    const known = this.#rows.get(session);
    if (known !== undefined) return known;
    const row: Row = { fruitless: [], lastStartWallMs: 0, jumpsAtLastStart: 0, epoch: 0, wasUnsteady: false };
    this.#rows.set(session, row);
    return row;
  }
}
