export const OUTPUT_LIMIT_BYTES = 65_536;
/** An engine in memory, shared by all runtimes opened on it. */
export class FakeEngine {
    byName = new Map();
    started = [];
    calls = [];
    subscribers = new Set();
    unstoppable = new Set();
    hung = new Map();
    failing = new Map();
    refused = new Map();
    programs = new Map();
    clock;
    program;
    isDown = false;
    lie;
    ids = 0;
    constructor(clock, program) {
        this.clock = clock;
        this.program = program;
    }
    find(id, install) {
        return [...this.byName.values()].find((one) => one.container.id === id && one.install === install);
    }
    exit(one, { exitCode, signal = null, oomKilled = false, output = '' }) {
        if (one.container.state !== 'running')
            return;
        one.output = Buffer.concat([one.output, Buffer.from(output)]);
        const code = exitCode === undefined ? (signal === null ? 0 : null) : exitCode;
        one.end = { exitCode: code, signal, oomKilled, finishedAtMs: this.clock.now() };
        one.container = { ...one.container, state: 'exited' };
        this.emit('exited', one);
    }
    emit(kind, { container: { session, epoch }, install }) {
        if (session === undefined)
            return;
        for (const subscriber of this.subscribers) {
            if (subscriber.install !== install)
                continue;
            subscriber.queue.push({ kind, session, epoch });
            subscriber.wake();
        }
    }
    endStreams() {
        for (const subscriber of this.subscribers) {
            subscriber.ended = true;
            subscriber.wake();
        }
        this.subscribers.clear();
    }
}
export async function* drain(subscriber, closed) {
    try {
        for (;;) {
            const event = subscriber.queue.shift();
            if (event !== undefined)
                yield event;
            else if (subscriber.ended)
                return;
            else {
                await new Promise((resolve) => {
                    subscriber.wake = resolve;
                });
            }
        }
    }
    finally {
        closed();
    }
}
/** The end of an output in UTF-8, at most `maxBytes`. */
export function tail(output, maxBytes) {
    let text = output.subarray(-maxBytes).toString('utf8');
    while (Buffer.byteLength(text) > maxBytes)
        text = text.slice(1);
    return text;
}
export const machineClock = {
    now: () => Date.now(),
    after: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => {
            clearTimeout(timer);
        };
    },
};
//# sourceMappingURL=fake-engine.js.map