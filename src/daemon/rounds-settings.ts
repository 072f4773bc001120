import type { Settings } from '../config.js';
import type { RoundsSettings } from '../rounds/porter.js';

/** A tenth of a second is soon enough for people, and one batched call for all running sessions. */
const WATCH_INTERVAL_MS = 100;

export function roundsSettings(settings: Settings): RoundsSettings {
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
