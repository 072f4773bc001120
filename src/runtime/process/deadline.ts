import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';

/**
 * Runs one call of the port: whatever goes wrong with files and processes, or takes longer than `deadlineMs`, is the
 * state of the machine. `signal` aborts at the deadline, so that what was begun can be undone.
 */
export async function withDeadline<T>(
  what: string,
  deadlineMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new RuntimeUnavailable(`process runtime: ${what} took longer than ${String(deadlineMs)} ms`));
      abort.abort();
    }, deadlineMs);
  });
  try {
    return await Promise.race([call(abort.signal), late]);
  } catch (error) {
    if (error instanceof NightporterError) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new RuntimeUnavailable(`process runtime: ${what} failed: ${detail}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
