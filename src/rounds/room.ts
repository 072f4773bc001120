import { planRoom } from '../core/plan/room.js';
import type { GroupName, SessionAddress } from '../protocol/address.js';
import { formatInstant } from '../protocol/times.js';
import type { Pass, Porter } from './porter.js';
import type { Starts } from './start-container.js';

export interface Waiting {
  readonly session: SessionAddress;
  readonly group: GroupName;
  readonly dueSinceMs: number;
  readonly reason: 'due' | 'probe';
  /** Monotonic time at which the runtime, asked by name, had no container of it; null: it was not asked. */
  readonly absentSinceMonotonicMs: number | null;
}

/** Sessions that wait for a place, and who gets the next one. */
export class Room {
  readonly #porter: Porter;
  readonly #starts: Starts;
  readonly #waiting = new Map<SessionAddress, Waiting & { readonly pass: Pass }>();

  constructor(porter: Porter, starts: Starts) {
    this.#porter = porter;
    this.#starts = starts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  isWaiting(session: SessionAddress): boolean {
    return this.#waiting.has(session);
  }

  request(waiting: Waiting, pass: Pass): void {
    this.#waiting.set(waiting.session, { ...waiting, pass });
  }

  forget(session: SessionAddress): void {
    this.#waiting.delete(session);
  }

  /** Starts whom there is room for; asks idle containers for their places where there is none. */
  dispatch(): void {
    if (this.#waiting.size === 0) {
      for (const [, one] of this.#porter.fleet.entries()) one.yieldWanted = false;
      return;
    }
    if (this.#porter.gate.isDown) return;
    if (this.#porter.isDraining() || this.#porter.isStopping()) return;
    const { fleet, clock } = this.#porter;
    const limit = this.#porter.settings().maxConcurrentContainers;
    const monotonicMs = clock.monotonic();
    const running = fleet.running();
    const idle = running.flatMap(({ session, one }) => {
      const since = one.memory?.idleSinceMonotonicMs ?? null;
      const isFree = one.inFlight === null && !one.yieldWanted && !this.#waiting.has(session);
      return since !== null && isFree ? [{ session, idleForMs: monotonicMs - since }] : [];
    });
    const occupied = fleet.occupied();
    if (occupied >= limit && idle.length === 0) return;
    const decision = planRoom({
      waiting: [...this.#waiting.values()],
      running: running.map(({ container }) => container.session).filter((session) => session !== undefined),
      occupied,
      idle,
      limit,
    });
    for (const session of decision.start) this.#start(session);
    const leaving = [...fleet.entries()].filter(([, one]) => one.inFlight === 'stopping' || one.yieldWanted).length;
    for (const session of decision.yield.slice(0, Math.max(0, decision.yield.length - leaving))) {
      fleet.at(session).yieldWanted = true;
      this.#porter.hint(session);
    }
  }

  #start(session: SessionAddress): void {
    const waiting = this.#waiting.get(session);
    if (waiting === undefined) return;
    this.#waiting.delete(session);
    const begun = this.#starts.start(waiting, () => {
      this.dispatch();
    });
    if (!begun) return;
    waiting.pass.record({
      session,
      action: 'wake',
      reason: waiting.reason,
      dueSince: formatInstant(waiting.dueSinceMs),
    });
  }
}
