import type { Logger } from '../observe/logs.js';

/** Starts, stops and removals under way: counted, awaited at the end, never left to reject unseen. */
export class Operations {
  readonly #running = new Set<Promise<void>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  run(name: string, work: () => Promise<void>): void {
    const operation = work()
      .catch((err: unknown) => {
        this.#log.error({ err, operation: name }, 'operation failed');
      })
      .finally(() => this.#running.delete(operation));
    this.#running.add(operation);
  }

  get size(): number {
    return this.#running.size;
  }

  /** Resolves when nothing is under way any more, what was begun meanwhile included. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
