import { parseCron } from '../../../../src/core/schedule/cron.js';
import { nextOccurrence } from '../../../../src/core/schedule/occurrences.js';
import type { Schedule } from '../../../../src/core/schedule/occurrences.js';

export function schedule(text: string, zone = 'UTC'): Schedule {
  const parsed = parseCron(text);
  if (parsed.kind === 'bad') throw new Error(`${text}: ${parsed.why}`);
  return { cron: parsed.cron, zone };
}

/** All occurrences after an instant and not after another, one by one. */
export function walk(of: Schedule, afterMs: number, untilMs: number): number[] {
  const found: number[] = [];
  let nextMs = nextOccurrence(of, afterMs);
  while (nextMs !== undefined && nextMs <= untilMs) {
    found.push(nextMs);
    nextMs = nextOccurrence(of, nextMs);
  }
  return found;
}
