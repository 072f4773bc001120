import type { Porter } from './porter.js';

/**
 * Notices what containers write, by signature: works on every file system and for every runtime, costs one batched
 * call for all running sessions, and nothing while none runs.
 */
export class Watch {
  readonly #porter: Porter;
  #cancel: (() => void) | null = null;
  #busy: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(porter: Porter) {
    this.#porter = porter;
  }

  start(): void {
    if (this.#stopped) return;
    this.#cancel = this.#porter.clock.after(this.#porter.settings().watchIntervalMs, () => {
      this.#busy = this.tick()
        .catch((err: unknown) => {
          this.#porter.log.warn({ err }, 'watch failed');
        })
        .then(() => {
          this.start();
        });
    });
  }

  async tick(): Promise<void> {
    const running = this.#porter.fleet.running();
    if (running.length === 0) return;
    const signatures = await this.#porter.files.signatures(running.map(({ session }) => session));
    for (const [index, { session, one }] of running.entries()) {
      const signature = signatures[index] ?? null;
      if (signature === one.signature || signature === one.watched || one.busySinceMs !== null || one.blocked) continue;
      one.watched = signature;
      this.#porter.hint(session);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#busy;
  }
}
