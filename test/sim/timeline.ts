import type { Clock } from '../../src/ports/clock.js';

/** Whose events these are: a host that was killed has none any more, one that is frozen has them later. */
export interface Owner {
  readonly isDead: boolean;
  readonly frozenUntilMs: number;
}

interface Event {
  atMs: number;
  readonly order: number;
  readonly owner: Owner | null;
  readonly run: () => void;
  cancelled: boolean;
}

type Immediate = () => void;

/**
 * Simulated time: everything that happens is an event of it, one after the other; between two events all that was begun
 * comes to rest. Nothing waits for real time, so that the order of events depends on nothing but the seed.
 */
export class Timeline {
  #monotonicMs = 1_000;
  #wallOffsetMs: number;
  #order = 0;
  readonly #heap: Event[] = [];
  #immediates: Immediate[] = [];

  /** What the next turn of the event loop takes. */
  turnMs: () => number = () => 0;

  constructor(startWallMs: number) {
    this.#wallOffsetMs = startWallMs - this.#monotonicMs;
  }

  get wallMs(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  get monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** The wall clock is set, or the machine slept: no timer rings for it. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  at(delayMs: number, owner: Owner | null, run: () => void): () => void {
    const event = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order, owner, run, cancelled: false };
    this.#order += 1;
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  clockOf(owner: Owner): Clock {
    return {
      now: () => this.wallMs,
      monotonic: () => this.#monotonicMs,
      after: (delayMs, callback) => this.at(delayMs, owner, callback),
    };
  }

  /** Carries out events up to `untilMs` of monotonic time, or until `isOver`; `after` each of them. */
  async run(untilMs: number, after: () => void, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) break;
      this.#pop();
      if (event.cancelled || event.owner?.isDead === true) continue;
      const frozenUntilMs = event.owner?.frozenUntilMs ?? 0;
      if (frozenUntilMs > event.atMs) {
        event.atMs = frozenUntilMs;
        this.#push(event);
        continue;
      }
      this.#monotonicMs = Math.max(this.#monotonicMs, event.atMs);
      event.run();
      await this.rest();
      after();
    }
    if (!isOver()) this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
  }

  /** What was begun goes on until it waits for an event. */
  async rest(): Promise<void> {
    do {
      const begun = this.#immediates;
      this.#immediates = [];
      for (const callback of begun) callback();
      // All promises that can be kept are kept before it.
      await new Promise<void>((resolve) => {
        process.nextTick(resolve);
      });
    } while (this.#immediates.length > 0);
  }

  /** Turns of the event loop and the machine's clock become the simulation's own, until the returned function is called. */
  takeOver(): () => void {
    const { setImmediate: immediate } = globalThis;
    const now = Date.now;
    const later = (callback: Immediate): void => {
      const turnMs = this.turnMs();
      if (turnMs === 0) this.#immediates.push(callback);
      else this.at(turnMs, null, callback);
    };
    Object.assign(globalThis, { setImmediate: later });
    Date.now = () => this.wallMs;
    return () => {
      Object.assign(globalThis, { setImmediate: immediate });
      Date.now = now;
    };
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[place] = heap[parent] as Event;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const next = left + 1 < heap.length && isBefore(heap[left + 1] as Event, heap[left]) ? left + 1 : left;
      if (next >= heap.length || !isBefore(heap[next] as Event, last)) break;
      heap[place] = heap[next] as Event;
      place = next;
    }
    heap[place] = last;
  }
}

function isBefore(a: Event, b: Event | undefined): boolean {
  return b === undefined || a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
