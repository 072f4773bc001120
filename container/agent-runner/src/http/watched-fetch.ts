import { CallFailed } from './call-failure.js';
import type { CallFailure } from './call-failure.js';

/** Of a reply that is no stream: an error, or a page. */
const MAX_BODY_BYTES = 256 * 1024;

export interface Watch {
  /** Longest wait for the next byte, the first included. */
  readonly deadlineMs: number;
  /** Of a stream, with all that is around the answer. */
  readonly maxBytes: number;
  readonly onBytes: () => void;
}

/**
 * `fetch` for one call to a provider: whatever is no stream of events becomes a CallFailed, and so does a stream that is
 * silent, too large or cut. No redirect is followed: it would carry the key elsewhere.
 */
export class WatchedFetch {
  readonly #watch: Watch;
  readonly #own = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** The first thing that went wrong. */
  failure: CallFailure | undefined;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const signals = [this.#own.signal, init?.signal].filter((signal) => signal instanceof AbortSignal);
    this.#heard();
    let response: Response;
    try {
      response = await globalThis.fetch(input, { ...init, redirect: 'manual', signal: AbortSignal.any(signals) });
    } catch (error) {
      throw this.#fail(this.failure ?? { kind: 'unreachable', code: codeOf(error) });
    }
    this.#heard();
    const contentType = response.headers.get('content-type') ?? '';
    if (response.ok && contentType.includes('text/event-stream') && response.body !== null) {
      return new Response(this.#watched(response.body), { status: response.status, headers: response.headers });
    }
    const { status, headers } = response;
    const body = await this.#bodyOf(response);
    const isPage = contentType.includes('html') || /^\s*</.test(body);
    throw this.#fail(isPage ? { kind: 'no_api', status, headers } : { kind: 'refused', status, headers, body });
  };

  /** The call is over, or given up. */
  end(): void {
    clearTimeout(this.#timer);
    this.#own.abort();
  }

  #heard(): void {
    clearTimeout(this.#timer);
    const { deadlineMs } = this.#watch;
    this.#timer = setTimeout(() => {
      const failed = this.#fail({ kind: 'silent', deadlineMs });
      this.#own.abort(failed);
    }, deadlineMs);
  }

  #fail(failure: CallFailure): CallFailed {
    clearTimeout(this.#timer);
    this.failure ??= failure;
    return new CallFailed(this.failure);
  }

  #watched(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const { maxBytes, onBytes } = this.#watch;
    const reader = body.getReader();
    let bytes = 0;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          this.#heard();
          if (done) {
            clearTimeout(this.#timer);
            controller.close();
            return;
          }
          onBytes();
          bytes += value.byteLength;
          if (bytes > maxBytes) {
            controller.error(this.#fail({ kind: 'too_large', maxBytes }));
            this.#own.abort();
            return;
          }
          controller.enqueue(value);
        } catch (error) {
          controller.error(this.#fail({ kind: 'unreachable', code: codeOf(error) }));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  async #bodyOf(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        this.#heard();
        bytes += (chunk as Uint8Array).byteLength;
        chunks.push(chunk as Uint8Array);
        if (bytes > MAX_BODY_BYTES) break;
      }
    } catch {
      // The status alone says enough.
    }
    return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
  }
}

/** `ECONNREFUSED`, `ENOTFOUND`, `UND_ERR_SOCKET`, ... */
function codeOf(error: unknown): string {
  for (let one = error, depth = 0; depth < 8 && typeof one === 'object' && one !== null; depth += 1) {
    if ('code' in one && typeof one.code === 'string') return one.code;
    if ('errors' in one && Array.isArray(one.errors)) one = one.errors[0];
    else if ('cause' in one) one = one.cause;
    else break;
  }
  return error instanceof Error ? error.name : 'unknown';
}
