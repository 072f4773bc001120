/** Runs one call with a signal of its own: aborted by `stop`, and when the call is over. One never aborts the next. */
export async function withCallSignal<T>(stop: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const abort = (): void => {
    own.abort(stop.reason);
  };
  if (stop.aborted) abort();
  else stop.addEventListener('abort', abort, { once: true });
  try {
    return await call(own.signal);
  } finally {
    stop.removeEventListener('abort', abort);
    // Whatever the call left behind ends with it.
    own.abort();
  }
}
