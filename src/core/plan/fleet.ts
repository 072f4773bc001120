import type { Policy } from '../policy.js';

const LEAST_MASS = 2;
const MOST_JUMP_MS = 5_000;

export interface FleetFacts {
  /** Containers that run. */
  readonly running: number;
  /** Those of them that turned stale since the last round; who was stale then already waited its round. */
  readonly stale: number;
  /** How much later than planned this round began. */
  readonly roundLateMs: number;
  /** By how much the wall clock ran ahead (positive) or behind the monotonic one since the last round. */
  readonly wallJumpMs: number;
}

/** Why this round must not stop anything for staleness: a slept laptop or a dead disk must not kill the fleet. */
export function stalenessWaits(
  { running, stale, roundLateMs, wallJumpMs }: FleetFacts,
  policy: Pick<Policy, 'sweepIntervalMs'>,
): 'mass_stale' | 'late_round' | 'clock_jump' | null {
  if (Math.abs(wallJumpMs) > MOST_JUMP_MS) return 'clock_jump';
  if (roundLateMs > 2 * policy.sweepIntervalMs) return 'late_round';
  return stale > Math.max(LEAST_MASS, running / 2) ? 'mass_stale' : null;
}
