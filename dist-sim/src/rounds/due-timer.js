/** At one moment; the next round finds the rest. */
const MOST_AT_ONCE = 10_000;
const RETRY_MS = 1_000;
/** Hints at sessions at their next due time instead of at the next round. */
export class DueTimer {
    #porter;
    #cancel = null;
    #armedForMs = null;
    #lastMs;
    #stopped = false;
    constructor(porter) {
        this.#porter = porter;
        this.#lastMs = porter.clock.now();
    }
    /** After anything that may have changed what is due next. Cheap when nothing did. */
    rearm() {
        if (this.#stopped)
            return;
        const nowMs = this.#porter.clock.now();
        const nextMs = this.#porter.registry.nextDueAfter(this.#lastMs) ?? null;
        if (nextMs === this.#armedForMs)
            return;
        this.#cancel?.();
        this.#cancel = null;
        this.#armedForMs = nextMs;
        if (nextMs === null)
            return;
        this.#cancel = this.#porter.clock.after(Math.max(0, nextMs - nowMs), () => {
            this.#fire();
        });
    }
    stop() {
        this.#stopped = true;
        this.#cancel?.();
    }
    #fire() {
        this.#armedForMs = null;
        const nowMs = this.#porter.clock.now();
        try {
            // A clock set back: what lies between is found by the round.
            const sessions = nowMs > this.#lastMs ? this.#porter.registry.dueBetween(this.#lastMs, nowMs, MOST_AT_ONCE) : [];
            for (const session of sessions)
                this.#porter.hint(session);
            this.#lastMs = nowMs;
            this.rearm();
        }
        catch (err) {
            this.#porter.log.error({ err }, 'due sessions could not be read');
            this.#cancel = this.#porter.clock.after(RETRY_MS, () => {
                this.#fire();
            });
        }
    }
}
//# sourceMappingURL=due-timer.js.map