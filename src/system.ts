import { v7 } from 'uuid';
import type { Clock } from './ports/clock.js';
import type { Random } from './ports/random.js';

/** Node fires longer timers at once. */
const LONGEST_TIMER_MS = 24 * 60 * 60_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, LONGEST_TIMER_MS);
      timer = setTimeout(() => {
        if (leftMs > stepMs) arm(leftMs - stepMs);
        else callback();
      }, stepMs);
    };
    arm(Math.max(0, delayMs));
    return () => {
      clearTimeout(timer);
    };
  },
};

export const systemRandom: Random = { id: () => v7() };
