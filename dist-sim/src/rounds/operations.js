/** Starts, stops and removals under way: counted, awaited at the end, never left to reject unseen. */
export class Operations {
    #running = new Set();
    #log;
    constructor(log) {
        this.#log = log;
    }
    run(name, work) {
        const operation = work()
            .catch((err) => {
            this.#log.error({ err, operation: name }, 'operation failed');
        })
            .finally(() => this.#running.delete(operation));
        this.#running.add(operation);
    }
    get size() {
        return this.#running.size;
    }
    /** Resolves when nothing is under way any more, what was begun meanwhile included. */
    async settled() {
        while (this.#running.size > 0)
            await Promise.all(this.#running);
    }
}
//# sourceMappingURL=operations.js.map