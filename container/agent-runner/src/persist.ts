import { isTransient } from './outbound.js';
import type { Log } from './log.js';

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

/**
 * Repeats a write until it is done: a lock or a full disk passes, and the heartbeat goes on meanwhile. Once `stop` is
 * aborted it tries for `graceMs` more, then throws the last error. Other errors are thrown at once.
 */
export async function persist(
  write: () => void,
  options: { readonly stop: AbortSignal; readonly graceMs: number; readonly log: Log },
): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  let stoppedAtMs: number | undefined;
  let told: string | undefined;
  for (;;) {
    try {
      write();
      return;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (error.code !== told) options.log.error('outbound.db cannot be written, trying again', { reason: error.code });
      told = error.code;
      if (options.stop.aborted) stoppedAtMs ??= performance.now();
      if (stoppedAtMs !== undefined && performance.now() - stoppedAtMs >= options.graceMs) throw error;
    }
    await pause(pauseMs);
    pauseMs = stoppedAtMs === undefined ? Math.min(pauseMs * 2, MAX_PAUSE_MS) : FIRST_PAUSE_MS;
  }
}

/** Resolves after `ms`, or as soon as the signal aborts. */
export function pause(ms: number, stop?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop?.addEventListener('abort', end);
  });
}
