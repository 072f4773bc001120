import type { Pass } from './job.js';
import type { Keeper } from './keeper.js';

const FACT = 'collected_at';
const DAY_MS = 24 * 60 * 60_000;

/**
 * Whether nothing speaks against the wall clock. A machine that boots with a clock of next year would delete what was closed
 * yesterday: after a leap of over a day more than passes are apart nothing is deleted for one pass. A pass that an operator asks for
 * does not wait.
 */
export function isClockTrusted(keeper: Keeper, pass: Pass, nowMs: number): boolean {
  if (!pass.unattended) return true;
  const { registry, log } = keeper;
  const before = Number(registry.readFact(FACT) ?? nowMs);
  registry.writeFact(FACT, String(nowMs));
  const leapMs = nowMs - before;
  if (Math.abs(leapMs) <= DAY_MS + keeper.settings().gcIntervalMs) return true;
  log.warn({ leapMs }, 'the last pass was longer ago than it should be by the clock: nothing is deleted in this one');
  return false;
}
