/**
 * Hands out turns of the event loop, one to each caller: what holds the thread for some milliseconds each time (the
 * start of a process, as a rule) is spread over as many turns, and other work goes on in between.
 */
export class LoopTurns {
    #last = Promise.resolve();
    /** Resolves in a turn of the loop that nobody else was given. */
    next() {
        this.#last = this.#last.then(() => new Promise((resolve) => setImmediate(resolve)));
        return this.#last;
    }
}
//# sourceMappingURL=loop-turns.js.map