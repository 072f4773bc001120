import { RuntimeUnavailable } from '../protocol/errors.js';
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** Follows the runtime's events; a stream that ends is opened again with backoff, followed by a full list. */
export class RuntimeEvents {
    #porter;
    #relist;
    #abort = new AbortController();
    #running = Promise.resolve();
    constructor(porter, relist) {
        this.#porter = porter;
        this.#relist = relist;
    }
    start() {
        this.#running = this.#follow().catch((err) => {
            this.#porter.log.error({ err }, 'events are not followed any more');
        });
    }
    async stop() {
        this.#abort.abort();
        await this.#running;
    }
    async #follow() {
        const { signal } = this.#abort;
        let retryMs = FIRST_RETRY_MS;
        for (let opened = 0; !this.#isStopped(); opened += 1) {
            if (opened > 0)
                this.#relist();
            try {
                for await (const event of this.#porter.gate.runtime.events(signal)) {
                    retryMs = FIRST_RETRY_MS;
                    this.#porter.hint(event.session);
                }
            }
            catch (err) {
                if (!(err instanceof RuntimeUnavailable))
                    this.#porter.log.warn({ err }, 'event stream failed');
            }
            if (this.#isStopped())
                return;
            this.#porter.log.debug({ retryMs }, 'event stream ended');
            // An engine that restarts is down now: what exits meanwhile is no fault of the sessions.
            await this.#porter.gate.describe();
            await this.#pause(retryMs);
            retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
        }
    }
    #isStopped() {
        return this.#abort.signal.aborted;
    }
    #pause(delayMs) {
        if (this.#isStopped())
            return Promise.resolve();
        return new Promise((resolve) => {
            const finish = () => {
                cancel();
                this.#abort.signal.removeEventListener('abort', finish);
                resolve();
            };
            const cancel = this.#porter.clock.after(delayMs, finish);
            this.#abort.signal.addEventListener('abort', finish);
        });
    }
}
//# sourceMappingURL=runtime-events.js.map