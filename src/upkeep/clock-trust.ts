import type { Pass } from './job.js';
import type { KeeperPorts } from './keeper.js';

const FACT = 'collected_at';
const DAY_MS = 24 * 60 * 60_000;

/**
 * Whether nothing speaks against the wall clock. A machine that boots with a clock of next year would delete what was closed
 * yesterday: after a leap of over a day more than passes over the sessions are apart, no job deletes anything until the next of
 * these passes. What an operator asks for does not wait.
 */
export class ClockTrust {
  readonly #keeper: KeeperPorts;
  #hasLeapt = false;

  constructor(keeper: KeeperPorts) {
    this.#keeper = keeper;
  }

  /** At the beginning of each pass over the sessions: what holds until the next. */
  decide(pass: Pass): void {
    if (!pass.unattended) return;
    const { registry, clock, log } = this.#keeper;
    const leapMs = this.#leapMs();
    this.#hasLeapt = this.#isTooFar(leapMs);
    registry.writeFact(FACT, String(clock.now()));
    if (!this.#hasLeapt) return;
    log.warn(
      { leapMs },
      'the last pass was longer ago than it should be by the clock: nothing is deleted until the next',
    );
  }

  holds(pass: Pass): boolean {
    // It may have leapt since the last pass, too.
    return !pass.unattended || !(this.#hasLeapt || this.#isTooFar(this.#leapMs()));
  }

  /** From one pass of a job to the next: one that was not allowed to delete is made up for soon. */
  pauseMs(usualMs: number): number {
    return this.#hasLeapt ? Math.min(usualMs, this.#keeper.settings().gcIntervalMs) : usualMs;
  }

  #leapMs(): number {
    const { registry, clock } = this.#keeper;
    const nowMs = clock.now();
    return nowMs - Number(registry.readFact(FACT) ?? nowMs);
  }

  #isTooFar(leapMs: number): boolean {
    return Math.abs(leapMs) > DAY_MS + this.#keeper.settings().gcIntervalMs;
  }
}
