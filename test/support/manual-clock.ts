import type { Clock } from '../../src/ports/clock.js';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time that passes when a test says so. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 1_000;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 15, 12)) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Both clocks go on; timers ring in order. What they began is not awaited. */
  advance(byMs: number): void {
    const untilMs = this.#monotonicMs + byMs;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#pass(next.atMs - this.#monotonicMs);
      next.callback();
    }
    this.#pass(untilMs - this.#monotonicMs);
  }

  /** The wall clock alone jumps: somebody set it, or the machine slept. */
  jump(byMs: number): void {
    this.#wallMs += byMs;
  }

  #pass(byMs: number): void {
    this.#monotonicMs += byMs;
    this.#wallMs += byMs;
  }
}
