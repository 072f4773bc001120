/** A tenth of a second is soon enough for people, and one batched call for all running sessions. */
const WATCH_INTERVAL_MS = 100;
export function roundsSettings(settings) {
    return {
        sweepIntervalMs: settings.sweepIntervalMs,
        busyRetryMaxMs: settings.busyRetryMaxMs,
        drainTimeoutMs: settings.drainTimeoutMs,
        maxConcurrentContainers: settings.maxConcurrentContainers,
        watchIntervalMs: WATCH_INTERVAL_MS,
        driftSlice: settings.gateSlice,
        orphans: settings.orphans,
    };
}
//# sourceMappingURL=rounds-settings.js.map