export class Fleet {
    #sessions = new Map();
    /** Whether the runtime has told what runs; until then nothing is settled or woken. */
    known = false;
    /** Containers that could not be removed, and what they are told of as. */
    unremovable = new Map();
    find(session) {
        return this.#sessions.get(session);
    }
    /** The record of a session, made when there is none. */
    at(session) {
        const found = this.#sessions.get(session);
        if (found !== undefined)
            return found;
        const one = fresh();
        this.#sessions.set(session, one);
        return one;
    }
    /** What is remembered of a session, to try something out with. */
    copyOf(session) {
        return { ...(this.#sessions.get(session) ?? fresh()) };
    }
    /** Forgets a session that has nothing worth remembering, so that idle ones cost no memory. */
    tidy(session) {
        const one = this.#sessions.get(session);
        if (one === undefined || one.blocked || one.inFlight !== null || one.ended !== null || one.busyTold)
            return;
        if (one.container === null && one.busySinceMs === null && one.corrupt === null)
            this.#sessions.delete(session);
    }
    sessions() {
        return [...this.#sessions.keys()];
    }
    entries() {
        return this.#sessions.entries();
    }
    running() {
        return [...this.#sessions].flatMap(([session, one]) => one.container !== null && isUp(one.container) ? [{ session, container: one.container, one }] : []);
    }
    /** Places taken: what runs, starts or is not yet confirmed gone. */
    occupied() {
        let count = 0;
        for (const one of this.#sessions.values()) {
            if (one.inFlight !== null || (one.container !== null && isUp(one.container)))
                count += 1;
        }
        return count;
    }
}
function fresh() {
    return {
        container: null,
        absentSinceMonotonicMs: null,
        inFlight: null,
        generation: 0,
        memory: undefined,
        busySinceMs: null,
        busyLooks: 0,
        corrupt: null,
        blocked: false,
        yieldWanted: false,
        turns: 0,
        claimedEpoch: 0,
        signature: null,
        watched: undefined,
        ended: null,
        busyTold: false,
    };
}
export function setInFlight(one, inFlight) {
    Object.assign(one, { inFlight, generation: one.generation + 1, absentSinceMonotonicMs: null });
}
/** A paused container holds its place and its files like a running one. */
export function isUp(container) {
    return container.state === 'running' || container.state === 'paused';
}
//# sourceMappingURL=fleet.js.map