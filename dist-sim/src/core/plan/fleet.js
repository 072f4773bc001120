const LEAST_MASS = 2;
const MOST_JUMP_MS = 5_000;
/** Why this round must not stop anything for staleness: a slept laptop or a dead disk must not kill the fleet. */
export function stalenessWaits({ running, stale, roundLateMs, wallJumpMs }, policy) {
    if (Math.abs(wallJumpMs) > MOST_JUMP_MS)
        return 'clock_jump';
    if (roundLateMs > 2 * policy.sweepIntervalMs)
        return 'late_round';
    return stale > Math.max(LEAST_MASS, running / 2) ? 'mass_stale' : null;
}
//# sourceMappingURL=fleet.js.map