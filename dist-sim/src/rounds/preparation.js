import { NightporterError } from '../protocol/errors.js';
/** How long nothing is started after what every start needs (the runner image) could not be made. */
const RETRY_MS = 30_000;
/** What every start needs is made once: at start, after the engine came back, and after a start was refused. */
export class Preparation {
    #porter;
    #isReady = false;
    #failedAtMs = null;
    #running = null;
    constructor(porter) {
        this.#porter = porter;
    }
    /** Whether starts can go on; its lack is the installation's state, not a session's. */
    ensure() {
        if (this.#isReady)
            return Promise.resolve(true);
        this.#running ??= this.#prepare().finally(() => {
            this.#running = null;
        });
        return this.#running;
    }
    /** Milliseconds until it is worth trying again; 0: now. */
    waitsForMs() {
        if (this.#failedAtMs === null)
            return 0;
        return Math.max(0, this.#failedAtMs + RETRY_MS - this.#porter.clock.monotonic());
    }
    /** The next start asks again: the engine may be another one, the image may be gone. */
    forget() {
        this.#isReady = false;
    }
    async #prepare() {
        const { gate, notices, clock } = this.#porter;
        try {
            const answer = await gate.call((runtime) => runtime.prepare());
            if (answer === undefined)
                return false;
            notices.settle('image_missing', null);
            this.#failedAtMs = null;
            this.#isReady = true;
            return true;
        }
        catch (err) {
            if (!(err instanceof NightporterError))
                throw err;
            this.#failedAtMs = clock.monotonic();
            notices.raise('image_missing', null, `nothing can be started: ${err.message}`);
            return false;
        }
    }
}
//# sourceMappingURL=preparation.js.map