import { RuntimeUnavailable } from '../protocol/errors.js';
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** How long a runtime may be down before the operator is told. */
const TELL_AFTER_MS = 5 * 60_000;
/**
 * The runtime's own state. A call that finds it down marks it down; pings with backoff (1 to 60 s) bring it back,
 * and then whoever supervises lists everything anew.
 */
export class RuntimeGate {
    runtime;
    #clock;
    #notices;
    #log;
    #onDown;
    #onUp;
    #hasRecovered = false;
    #state = 'unknown';
    #description;
    #downSinceMs = null;
    #downSinceMonotonicMs = 0;
    #retryMs = FIRST_RETRY_MS;
    #cancelRetry = null;
    #closed = false;
    constructor(options) {
        this.runtime = options.runtime;
        this.#clock = options.clock;
        this.#notices = options.notices;
        this.#log = options.log;
        this.#onDown = options.onDown;
        this.#onUp = options.onUp;
        this.#description = options.runtime.kind;
    }
    get isDown() {
        return this.#state === 'down';
    }
    /** Whether it was down since this was asked last: what exited meanwhile ended with the engine. */
    takeRecovery() {
        const has = this.#hasRecovered;
        this.#hasRecovered = false;
        return has;
    }
    state() {
        return {
            kind: this.runtime.kind,
            state: this.#state,
            description: this.#description,
            downSinceMs: this.#downSinceMs,
        };
    }
    /** Calls the runtime; `undefined` when it is down, which is then its state and retried. */
    async call(work) {
        try {
            const value = await work(this.runtime);
            this.#up();
            return { value };
        }
        catch (err) {
            if (!(err instanceof RuntimeUnavailable))
                throw err;
            this.#down(err);
            return undefined;
        }
    }
    /**
     * Calls the runtime about one container: its trouble is not the engine's, unless the engine does not answer a ping
     * either. `undefined` when it is down.
     */
    async callAboutOne(work) {
        try {
            return { value: await work(this.runtime) };
        }
        catch (err) {
            if (!(err instanceof RuntimeUnavailable))
                throw err;
            await this.describe();
            if (this.isDown)
                return undefined;
            throw err;
        }
    }
    close() {
        this.#closed = true;
        this.#cancelRetry?.();
    }
    #up() {
        const before = this.#state;
        this.#state = 'up';
        if (before === 'up')
            return;
        // One of an earlier daemon too.
        this.#notices.settle('runtime_down', null);
        if (before !== 'down')
            return;
        this.#hasRecovered = true;
        this.#downSinceMs = null;
        this.#retryMs = FIRST_RETRY_MS;
        this.#cancelRetry?.();
        this.#cancelRetry = null;
        this.#log.info({ runtime: this.runtime.kind }, 'runtime is up again');
        this.#onUp();
    }
    #down(err) {
        if (this.#state !== 'down') {
            this.#state = 'down';
            this.#downSinceMs = this.#clock.now();
            this.#downSinceMonotonicMs = this.#clock.monotonic();
            this.#log.warn({ err, runtime: this.runtime.kind }, 'runtime is down');
            this.#onDown();
        }
        if (this.#clock.monotonic() - this.#downSinceMonotonicMs > TELL_AFTER_MS) {
            this.#notices.raise('runtime_down', null, `the ${this.runtime.kind} runtime has not answered for over 5 minutes (${err.message}); messages are accepted and wait: check that the engine runs`);
        }
        if (this.#cancelRetry !== null || this.#closed)
            return;
        this.#cancelRetry = this.#clock.after(this.#retryMs, () => {
            this.#cancelRetry = null;
            this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
            this.describe().catch((cause) => {
                this.#log.error({ err: cause }, 'runtime ping failed');
            });
        });
    }
    /** Pings; the description of what answers is kept for people. */
    async describe() {
        if (this.#closed)
            return;
        const info = await this.call((runtime) => answered('ping', runtime.ping()));
        if (info !== undefined)
            this.#description = info.value.description;
    }
}
/** Of a call that no session is to blame for, every refusal is the engine's state: it is told of and retried. */
export async function answered(what, call) {
    try {
        return await call;
    }
    catch (err) {
        if (err instanceof RuntimeUnavailable)
            throw err;
        const detail = err instanceof Error ? err.message : String(err);
        throw new RuntimeUnavailable(`${what}: the runtime refuses: ${detail}`, { cause: err });
    }
}
//# sourceMappingURL=runtime-gate.js.map