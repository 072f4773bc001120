const FIRST_PAUSE_MS = 60_000;
const LAST_PAUSE_MS = 60 * 60_000;
const TROUBLES_MAX = 2_000;
/** Whatever the sessions are, a message has room for this many lines at once, and then for one in that time. */
const TROUBLE_BUDGET = { burst: 50, everyMs: 10_000 };
const CHANGE_BUDGET = { burst: 1_000, everyMs: 500 };
/** What was left out is told after this long at the latest. */
const TELL_AFTER_MS = 10 * 60_000;
/**
 * Bounds a log (F31). The same trouble is written at once, then after 1, 2, 4 .. 60 minutes; and each message has a budget
 * over all sessions, so that 10,000 failing ones are about a line in 10 s. Nothing is left out uncounted. Times are
 * monotonic milliseconds.
 */
export class Repeats {
    #messages = new Map();
    #troubles = new Map();
    decide(line, nowMs) {
        const message = this.#messageOf(line, nowMs);
        const isNews = !line.isTrouble || this.#isNews(line, nowMs);
        if (!isNews || !takeToken(message, line.isTrouble ? TROUBLE_BUDGET : CHANGE_BUDGET, nowMs)) {
            message.leftOut += 1;
            return { kind: 'leave_out' };
        }
        if (line.isTrouble)
            this.#written(line, nowMs);
        const { leftOut } = message;
        message.leftOut = 0;
        message.writtenAtMs = nowMs;
        return { kind: 'write', repeated: leftOut };
    }
    /** What was left out and not told for long; told with this. */
    takeLeftOut(nowMs) {
        return [...this.#messages.values()].flatMap((one) => {
            if (one.leftOut === 0 || nowMs - one.writtenAtMs < TELL_AFTER_MS)
                return [];
            const { level, component, message, leftOut } = one;
            one.leftOut = 0;
            one.writtenAtMs = nowMs;
            return [{ level, component, message, repeated: leftOut }];
        });
    }
    /** Constant texts: there are as many as there are calls of the log in the code. */
    #messageOf({ level, isTrouble, component, message }, nowMs) {
        const key = JSON.stringify([level, component, message]);
        const known = this.#messages.get(key);
        if (known !== undefined)
            return known;
        const tokens = (isTrouble ? TROUBLE_BUDGET : CHANGE_BUDGET).burst;
        const fresh = { level, component, message, tokens, refilledAtMs: nowMs, writtenAtMs: nowMs, leftOut: 0 };
        this.#messages.set(key, fresh);
        return fresh;
    }
    #isNews(line, nowMs) {
        const trouble = this.#troubles.get(troubleKey(line));
        if (trouble === undefined)
            return true;
        // Gone for so long that it has come back.
        if (nowMs - trouble.seenAtMs > 2 * trouble.pauseMs)
            trouble.pauseMs = 0;
        trouble.seenAtMs = nowMs;
        return nowMs - trouble.writtenAtMs >= trouble.pauseMs;
    }
    #written(line, nowMs) {
        const key = troubleKey(line);
        const before = this.#troubles.get(key)?.pauseMs ?? 0;
        // Last again: the one that was written longest ago is forgotten first.
        this.#troubles.delete(key);
        const pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, before * 2), LAST_PAUSE_MS);
        this.#troubles.set(key, { writtenAtMs: nowMs, seenAtMs: nowMs, pauseMs });
        const [oldest] = this.#troubles.keys();
        if (this.#troubles.size > TROUBLES_MAX && oldest !== undefined)
            this.#troubles.delete(oldest);
    }
}
function troubleKey({ level, component, message, subject }) {
    return JSON.stringify([level, component, message, subject]);
}
function takeToken(message, budget, nowMs) {
    const gained = Math.floor((nowMs - message.refilledAtMs) / budget.everyMs);
    if (gained > 0) {
        message.tokens = Math.min(budget.burst, message.tokens + gained);
        message.refilledAtMs += gained * budget.everyMs;
    }
    if (message.tokens === 0)
        return false;
    message.tokens -= 1;
    return true;
}
//# sourceMappingURL=repeats.js.map