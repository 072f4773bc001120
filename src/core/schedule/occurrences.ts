import { isEveryHour, wallTimes } from './cron.js';
import type { Cron } from './cron.js';
import { instantsOf, offsetMs, offsetsAround } from './zone.js';

const MINUTE_MS = 60_000;

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
  let bestMs = Infinity;
  for (const wallMs of wallTimes(cron, fromMs)) {
    const around = offsetsAround(zone, wallMs);
    if (wallMs - Math.max(...around) >= bestMs) break;
    const instants = instantsOf(zone, wallMs);
    const later = (isEveryHour(cron) ? instants : instants.slice(0, 1)).find((instantMs) => instantMs > afterMs);
    if (later === undefined) continue;
    bestMs = Math.min(later, bestMs);
    // Far from any change of the clocks wall times and instants are in the same order.
    if (around[0] === around[1]) break;
  }
  return bestMs === Infinity ? undefined : bestMs;
}

/** The last occurrence after an instant and not after another; undefined: there is none between them. */
export function latestOccurrence(schedule: Schedule, afterMs: number, untilMs: number): number | undefined {
  return lastOccurrences(schedule, afterMs, untilMs, 1).at(-1);
}

/**
 * At most `limit` occurrences after an instant and not after another, the latest of them, in order. Looks back from the
 * end in windows that double while they hold few: the cost does not grow with what was missed, but with its logarithm.
 */
export function lastOccurrences(
  schedule: Schedule,
  afterMs: number,
  untilMs: number,
  limit: number,
): readonly number[] {
  let found: readonly number[] = [];
  let endMs = untilMs;
  const leastMs = limit * MINUTE_MS;
  let windowMs = leastMs;
  while (found.length < limit && endMs > afterMs) {
    const fromMs = Math.max(afterMs, endMs - windowMs);
    const inWindow = occurrencesBetween(schedule, fromMs, endMs, 2 * limit);
    if (inWindow === 'too_many') {
      windowMs = Math.max(leastMs, windowMs / 16);
      continue;
    }
    found = [...inWindow, ...found];
    endMs = fromMs;
    windowMs *= 2;
  }
  return found.slice(-limit);
}

function occurrencesBetween(
  schedule: Schedule,
  afterMs: number,
  untilMs: number,
  most: number,
): readonly number[] | 'too_many' {
  const found: number[] = [];
  const next = (sinceMs: number): number => nextOccurrence(schedule, sinceMs) ?? Infinity;
  for (let atMs = next(afterMs); atMs <= untilMs; atMs = next(atMs)) {
    if (found.length === most) return 'too_many';
    found.push(atMs);
  }
  return found;
}
