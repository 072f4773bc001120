export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `probe` answers something other than undefined or false; throws with `what` after `timeoutMs`. */
export async function until(what, timeoutMs, probe, intervalMs = 100) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= deadline) throw new Error(`not within ${String(Math.round(timeoutMs / 1000))} s: ${what}`);
    await pause(intervalMs);
  }
}

/** Waits, but not beyond the end of the faults. */
export function pauseUnless(signal, ms) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** One at a time; whoever comes meanwhile is sent away. */
export class Turnstile {
  #isTaken = false;

  get isTaken() {
    return this.#isTaken;
  }

  async pass(work) {
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      this.#isTaken = false;
    }
  }
}
