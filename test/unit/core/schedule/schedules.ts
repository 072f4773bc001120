import { parseCron } from '../../../../src/core/schedule/cron.js';
import { nextOccurrence } from '../../../../src/core/schedule/occurrences.js';
import type { Schedule } from '../../../../src/core/schedule/occurrences.js';

export function schedule(text: string, zone = 'UTC'): Schedule {
  const parsed = parseCron(text);
  if (parsed.kind === 'bad') throw new Error(`${text}: ${parsed.why}`);
  return { cron: parsed.cron, zone };
}

/** Epoch milliseconds of `2026-03-29 00:59`, in UTC. */
export function utc(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** What a zone's clocks show: `Sun 03:30 +2`. */
export function shown(instantMs: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'shortOffset',
  });
  const parts = Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, value]));
  const { weekday = '', hour = '', minute = '', timeZoneName = '' } = parts;
  return `${weekday} ${hour}:${minute} ${timeZoneName.replace('GMT', '')}`.trim();
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
