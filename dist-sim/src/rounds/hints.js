/**
 * One look at a session at a time; hints that come meanwhile make one more. Looks of different sessions run side by
 * side, at most `concurrency` of them.
 */
export class Hints {
    #look;
    #log;
    #concurrency;
    #queued = new Set();
    #busy = new Map();
    /** Looks under way; what runs `alone` is bounded by whoever began it. */
    #looking = 0;
    #stopped = false;
    constructor(look, concurrency, log) {
        this.#look = look;
        this.#concurrency = concurrency;
        this.#log = log;
    }
    hint(session) {
        if (this.#stopped)
            return;
        this.#queued.add(session);
        this.#next();
    }
    /** Runs `work` as the only look at this session; waits for the one under way first. */
    async alone(session, work) {
        for (;;) {
            const before = this.#busy.get(session);
            if (before === undefined)
                break;
            await before;
        }
        const result = work();
        this.#hold(session, result.catch(() => undefined));
        return result;
    }
    /** Lets what is under way finish; later hints are dropped. Idempotent. */
    async stop() {
        this.#stopped = true;
        this.#queued.clear();
        while (this.#busy.size > 0)
            await Promise.all(this.#busy.values());
    }
    /** Resolves when no hint waits and no look is under way. */
    async idle() {
        while (this.#busy.size > 0)
            await Promise.all(this.#busy.values());
    }
    #next() {
        for (const session of this.#queued) {
            if (this.#looking >= this.#concurrency)
                return;
            if (this.#busy.has(session))
                continue;
            this.#queued.delete(session);
            this.#looking += 1;
            const look = this.#look(session).finally(() => {
                this.#looking -= 1;
            });
            this.#hold(session, look);
        }
    }
    #hold(session, work) {
        const done = work
            .then(() => undefined, (err) => {
            this.#log.error({ err, session }, 'look failed');
        })
            .finally(() => {
            this.#busy.delete(session);
            if (!this.#stopped)
                this.#next();
        });
        this.#busy.set(session, done);
    }
}
/** One alarm per session: the earliest wins, firing is a hint. */
export class Alarms {
    #clock;
    #ring;
    #set = new Map();
    #closed = false;
    constructor(clock, ring) {
        this.#clock = clock;
        this.#ring = ring;
    }
    /** `delayMs` from now, unless an earlier one is set. */
    set(session, delayMs) {
        if (this.#closed)
            return;
        const atMs = this.#clock.monotonic() + Math.max(0, delayMs);
        const before = this.#set.get(session);
        if (before !== undefined) {
            if (before.atMs <= atMs)
                return;
            before.cancel();
        }
        const cancel = this.#clock.after(Math.max(0, delayMs), () => {
            this.#set.delete(session);
            this.#ring(session);
        });
        this.#set.set(session, { atMs, cancel });
    }
    /** None rings any more. */
    close() {
        this.#closed = true;
        for (const alarm of this.#set.values())
            alarm.cancel();
        this.#set.clear();
    }
}
//# sourceMappingURL=hints.js.map