import type { RunningMemory } from '../core/memory.js';
import type { GroupName, SessionAddress } from '../protocol/address.js';
import type { Container, ContainerEnd, ContainerId } from '../ports/runtime.js';

/** What the host remembers between looks of a session that runs or is in trouble; dropped when there is nothing left. */
export interface Supervised {
  /** As the runtime told last; null: it has none. */
  container: Container | null;
  /** A start or stop of this process is in flight. Changed by `setInFlight` only. */
  readonly inFlight: 'starting' | 'stopping' | null;
  /** Grows whenever a start or stop begins or ends: a look that it overtook starts over. */
  readonly generation: number;
  /** Monotonic time at which the runtime, asked by name, had no container of it; null: not asked since. */
  absentSinceMonotonicMs: number | null;
  memory: RunningMemory | undefined;
  /** Monotonic time since which its files have been locked against the host. */
  busySinceMs: number | null;
  busyLooks: number;
  /** How often SQLite called the same bytes corrupt. */
  corrupt: { readonly signature: string; readonly looks: number } | null;
  /** Its container could not be stopped. */
  blocked: boolean;
  /** Its container is found to have ended in the look that is under way: what it says of that is heard before its place is given away. */
  ending: boolean;
  /** Others wait for its place: it is stopped as soon as it is seen to have nothing to do. */
  yieldWanted: boolean;
  /** Turns completed by the present incarnation, as far as this process saw them. */
  turns: number;
  /** Epoch whose first claim was recorded. */
  claimedEpoch: number;
  /** The files' signature at the last look. */
  signature: string | null;
  /** The signature for which the watch hinted last: a look that cannot read the files is not hinted at over and over. */
  watched: string | null | undefined;
  /** How an incarnation ended that is harvested and not yet recorded. */
  ended: { readonly epoch: number; readonly end: ContainerEnd } | null;
  /** The operator was told that its files are locked. */
  busyTold: boolean;
}

export class Fleet {
  readonly #sessions = new Map<SessionAddress, Supervised>();
  /** Whether the runtime has told what runs; until then nothing is settled or woken. */
  known = false;
  /** Containers that could not be removed, and what they are told of as. */
  readonly unremovable = new Map<ContainerId, SessionAddress | null>();

  find(session: SessionAddress): Supervised | undefined {
    return this.#sessions.get(session);
  }

  /** The record of a session, made when there is none. */
  at(session: SessionAddress): Supervised {
    const found = this.#sessions.get(session);
    if (found !== undefined) return found;
    const one = fresh();
    this.#sessions.set(session, one);
    return one;
  }

  /** What is remembered of a session, to try something out with. */
  copyOf(session: SessionAddress): Supervised {
    return { ...(this.#sessions.get(session) ?? fresh()) };
  }

  /** Forgets a session that has nothing worth remembering, so that idle ones cost no memory. */
  tidy(session: SessionAddress): void {
    const one = this.#sessions.get(session);
    if (one === undefined || one.blocked || one.inFlight !== null || one.ended !== null || one.busyTold) return;
    if (one.container === null && one.busySinceMs === null && one.corrupt === null) this.#sessions.delete(session);
  }

  sessions(): readonly SessionAddress[] {
    return [...this.#sessions.keys()];
  }

  entries(): Iterable<[SessionAddress, Supervised]> {
    return this.#sessions.entries();
  }

  running(): readonly { readonly session: SessionAddress; readonly container: Container; readonly one: Supervised }[] {
    return [...this.#sessions].flatMap(([session, one]) =>
      one.container !== null && isUp(one.container) ? [{ session, container: one.container, one }] : [],
    );
  }

  /** Sessions of a group that are about to do a turn, or may be doing one. */
  busyIn(group: GroupName): number {
    let count = 0;
    for (const [session, one] of this.#sessions) {
      if (!session.startsWith(`${group}/`)) continue;
      const isWorking =
        one.container !== null && isUp(one.container) && (one.memory?.idleSinceMonotonicMs ?? null) === null;
      if (one.inFlight === 'starting' || isWorking) count += 1;
    }
    return count;
  }

  /** Places taken: what runs, starts, is not yet confirmed gone or heard to its end. */
  occupied(): number {
    let count = 0;
    for (const one of this.#sessions.values()) {
      if (one.inFlight !== null || one.ending || (one.container !== null && isUp(one.container))) count += 1;
    }
    return count;
  }
}

function fresh(): Supervised {
  return {
    container: null,
    absentSinceMonotonicMs: null,
    inFlight: null,
    generation: 0,
    memory: undefined,
    busySinceMs: null,
    busyLooks: 0,
    corrupt: null,
    blocked: false,
    ending: false,
    yieldWanted: false,
    turns: 0,
    claimedEpoch: 0,
    signature: null,
    watched: undefined,
    ended: null,
    busyTold: false,
  };
}

export function setInFlight(one: Supervised, inFlight: Supervised['inFlight']): void {
  Object.assign(one, { inFlight, generation: one.generation + 1, absentSinceMonotonicMs: null });
}

/** A paused container holds its place and its files like a running one. */
export function isUp(container: Container): boolean {
  return container.state === 'running' || container.state === 'paused';
}
