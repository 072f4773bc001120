import { HOUR_MS, MINUTE_MS, newMessage } from './rows.js';
import type { Message, NewMessage } from './rows.js';

/** Series of the model fire at every full hour. */
export const EVERY_HOUR = '0 * * * *';
const LATE_MS = 5 * MINUTE_MS;
const MOST_CAUGHT_UP = 24;

/** What follows an occurrence that ends: for `all` each that was missed, for `latest` the newest of them; then the next. */
export function successors({ series, status, occurrenceMs, begunMs }: Message, nowMs: number): Message[] {
  const fromMs = occurrenceMs ?? 0;
  const missed = series?.missed === 'all' ? hoursIn(fromMs, nowMs).slice(-MOST_CAUGHT_UP) : [];
  const newest = series?.missed === 'latest' ? hoursIn(Math.max(fromMs, begunMs), nowMs).at(-1) : undefined;
  const hours = [...missed, newest ?? hourAfter(Math.max(fromMs, nowMs))];
  const rows = hours.map((atMs, index) => {
    const row: NewMessage = { id: `${series?.id ?? ''}@${compact(atMs)}`, series, dueMs: atMs, occurrenceMs: atMs };
    return newMessage({ ...row, isLive: index === hours.length - 1 });
  });
  // Of a paused series nothing runs: it goes on from the first.
  return status === 'paused' ? rows.slice(0, 1).map((row) => ({ ...row, status, isLive: true })) : rows;
}

/** An occurrence whose time has gone by before anybody had it. */
export function catchUp(message: Message, nowMs: number): void {
  const { isLive, status, series, occurrenceMs, attempt, dueMs } = message;
  if (!isLive || status !== 'pending' || attempt > 0 || dueMs > nowMs || occurrenceMs === null) return;
  const isSkipped = series?.missed === 'skip' && nowMs - occurrenceMs > LATE_MS;
  const newest = series?.missed === 'latest' ? hoursIn(occurrenceMs, nowMs).at(-1) : undefined;
  const toMs = isSkipped ? hourAfter(nowMs) : (newest ?? occurrenceMs);
  Object.assign(message, { occurrenceMs: toMs, dueMs: toMs });
}

export function hourAfter(ms: number): number {
  return (Math.floor(ms / HOUR_MS) + 1) * HOUR_MS;
}

/** Full hours after one time and not after another. */
function hoursIn(afterMs: number, untilMs: number): number[] {
  const count = Math.floor(untilMs / HOUR_MS) - Math.floor(afterMs / HOUR_MS);
  return Array.from({ length: Math.max(0, count) }, (_, nth) => hourAfter(afterMs) + nth * HOUR_MS);
}

/** 20260115T120000Z */
function compact(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}
