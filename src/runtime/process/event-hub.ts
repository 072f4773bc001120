import type { ContainerId, RuntimeEvent } from '../../ports/runtime.js';
import { isAlive } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';

/** Exits of processes that are not our children are polled for, only while somebody listens. */
const WATCH_MS = 200;
/** A reader that lags this far behind is cut off: it opens the stream again and lists. */
const MAX_BACKLOG = 10_000;

type Labels = Omit<RuntimeEvent, 'kind'>;

interface Subscriber {
  readonly queue: RuntimeEvent[];
  ended: boolean;
  wake: () => void;
}

/** Who hears of starts and exits, and the watch over running processes of an earlier daemon. */
export class EventHub {
  readonly #subscribers = new Set<Subscriber>();
  readonly #watched = new Map<ContainerId, { readonly labels: Labels; readonly runner: ProcessIdentity }>();
  #timer: NodeJS.Timeout | undefined;

  emit(event: RuntimeEvent): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.queue.length >= MAX_BACKLOG) this.#end(subscriber);
      else subscriber.queue.push(event);
      subscriber.wake();
    }
  }

  /** Tells of the exit of a process that is not our child. */
  watch(id: ContainerId, labels: Labels, runner: ProcessIdentity): void {
    this.#watched.set(id, { labels, runner });
    this.#schedule();
  }

  /** Listens from now on; `ready` is awaited before the first event is handed out. */
  subscribe(signal: AbortSignal, ready: Promise<unknown>): AsyncIterable<RuntimeEvent> {
    const subscriber: Subscriber = { queue: [], ended: signal.aborted, wake: () => undefined };
    ready.catch(() => undefined);
    if (!subscriber.ended) {
      this.#subscribers.add(subscriber);
      signal.addEventListener(
        'abort',
        () => {
          this.#end(subscriber);
        },
        { once: true },
      );
      this.#schedule();
    }
    return this.#drain(subscriber, ready);
  }

  close(): void {
    for (const subscriber of this.#subscribers) this.#end(subscriber);
    this.#watched.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async *#drain(subscriber: Subscriber, ready: Promise<unknown>): AsyncIterable<RuntimeEvent> {
    try {
      if (!subscriber.ended) await ready;
      while (!subscriber.ended) {
        const event = subscriber.queue.shift();
        if (event !== undefined) {
          yield event;
          continue;
        }
        await new Promise<void>((resolve) => {
          subscriber.wake = resolve;
        });
      }
    } finally {
      this.#end(subscriber);
    }
  }

  #end(subscriber: Subscriber): void {
    subscriber.ended = true;
    this.#subscribers.delete(subscriber);
    subscriber.wake();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#subscribers.size === 0 || this.#watched.size === 0) return;
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => {
        this.#timer = undefined;
        this.#schedule();
      });
    }, WATCH_MS);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    for (const [id, { labels, runner }] of this.#watched) {
      if (await isAlive(runner)) continue;
      if (this.#watched.delete(id)) this.emit({ kind: 'exited', ...labels });
    }
  }
}
