import { isEveryHour, wallTimes } from './cron.js';
import type { Cron } from './cron.js';
import { instantsOf, offsetMs, offsetsAround } from './zone.js';

/** A series' cron expression, in the zone in which it is meant. */
export interface Schedule {
  readonly cron: Cron;
  readonly zone: string;
}

/**
 * The first occurrence after an instant; undefined: none comes. Where clocks skip a wall time it fires once, as much
 * later as they skip; where they show it twice it fires once, the first time, unless it runs in every hour (F33).
 */
export function nextOccurrence(schedule: Schedule, afterMs: number): number | undefined {
  const { cron, zone } = schedule;
  const fromMs = afterMs + Math.min(offsetMs(zone, afterMs), ...offsetsAround(zone, afterMs));
  let bestMs: number | undefined;
  for (const wallMs of wallTimes(cron, fromMs)) {
    const around = offsetsAround(zone, wallMs);
    if (bestMs !== undefined && wallMs - Math.max(...around) >= bestMs) break;
    const instants = instantsOf(zone, wallMs);
    const later = (isEveryHour(cron) ? instants : instants.slice(0, 1)).find((instantMs) => instantMs > afterMs);
    bestMs = Math.min(later ?? Infinity, bestMs ?? Infinity);
    if (bestMs === Infinity) bestMs = undefined;
    // Far from any change of the clocks wall times and instants are in the same order.
    else if (around[0] === around[1]) break;
  }
  return bestMs;
}

/** The last occurrence after an instant and not after another; undefined: there is none between them. */
export function latestOccurrence(schedule: Schedule, afterMs: number, untilMs: number): number | undefined {
  let latestMs: number | undefined;
  let lowMs = afterMs;
  let highMs = untilMs;
  for (;;) {
    const nextMs = nextOccurrence(schedule, lowMs);
    if (nextMs === undefined || nextMs > untilMs) return latestMs;
    latestMs = nextMs;
    lowMs = nextMs;
    // Halves what is left, instead of walking through every minute of a slept month.
    while (highMs - lowMs > 1) {
      const middleMs = Math.floor((lowMs + highMs) / 2);
      const foundMs = nextOccurrence(schedule, middleMs);
      if (foundMs !== undefined && foundMs <= untilMs) {
        latestMs = foundMs;
        lowMs = foundMs;
      } else {
        highMs = middleMs;
      }
    }
  }
}

/** At most `limit` occurrences after an instant and not after another, the latest of them, in order. */
export function lastOccurrences(
  schedule: Schedule,
  afterMs: number,
  untilMs: number,
  limit: number,
): readonly number[] {
  const found: number[] = [];
  let endMs = untilMs;
  while (found.length < limit) {
    const latestMs = latestOccurrence(schedule, afterMs, endMs);
    if (latestMs === undefined) break;
    found.unshift(latestMs);
    endMs = latestMs - 1;
  }
  return found;
}
