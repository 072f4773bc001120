/** Longer than any limit; what is further ahead is no time. */
const LONGEST_MS = 366 * 24 * 60 * 60 * 1000;

/** A time that a provider named for the end of a limit: not before the present; null: none that could be meant. */
export function sensibleInstant(atMs: number, nowMs: number): number | null {
  return Number.isFinite(atMs) && atMs - nowMs < LONGEST_MS ? Math.max(Math.ceil(atMs), nowMs) : null;
}
