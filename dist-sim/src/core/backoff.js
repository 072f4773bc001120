const RATE_LIMIT_FIRST_MS = 60_000;
const RATE_LIMIT_LEAST_MS = 5_000;
export const RATE_LIMIT_MOST_MS = 24 * 3_600_000;
/** Wait before a turn is tried again. `tries`: before it is raised, from 0; doubles with each: 5, 10, 20, 40, 80 s. */
export function retryDelayMs(tries, policy) {
    return policy.backoffBaseMs * 2 ** tries;
}
/** Wait until `retryAtMs`, or 60 s doubled by each deferral before where none was named; clamped to 5 s .. 24 h. */
export function rateLimitDelayMs(deferrals, retryAtMs, nowMs) {
    const wantedMs = retryAtMs === null ? RATE_LIMIT_FIRST_MS * 2 ** deferrals : retryAtMs - nowMs;
    return Math.min(Math.max(wantedMs, RATE_LIMIT_LEAST_MS), RATE_LIMIT_MOST_MS);
}
//# sourceMappingURL=backoff.js.map