import { writeFileSync } from 'node:fs';
/** The life of a child process that its parent calls: works as it is told, one call at a time, and leaves with its parent. */
export function serve(operations) {
    process.umask(0o022);
    volunteerForOutOfMemory();
    process.on('disconnect', () => process.exit(0));
    // The host decides when it is over: work in hand at a terminal's Ctrl-C or a service's stop is finished.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
        process.on(signal, () => undefined);
    process.on('message', (call) => {
        answer(operations, call);
    });
    send({ kind: 'ready' });
}
function answer(operations, call) {
    const { id } = call;
    try {
        const operation = operations[call.method];
        if (operation === undefined)
            throw new Error(`no such operation: ${call.method}`);
        send({ kind: 'result', id, value: operation(...call.params) });
    }
    catch (error) {
        send({ kind: 'fault', id, fault: faultOf(error) });
    }
}
function send(message) {
    // A parent that is gone is told of by `disconnect`.
    process.send?.(message, undefined, undefined, () => undefined);
}
export function faultOf(error) {
    if (!(error instanceof Error))
        return { message: String(error), code: undefined, path: undefined };
    const textOf = (name) => {
        const value = name in error ? error[name] : undefined;
        return typeof value === 'string' ? value : undefined;
    };
    return { message: error.message, code: textOf('code'), path: textOf('path') };
}
/** When memory runs out it is this process, not the host, that the kernel ends. */
function volunteerForOutOfMemory() {
    try {
        writeFileSync('/proc/self/oom_score_adj', '1000');
    }
    catch {
        // No such thing on this system.
    }
}
//# sourceMappingURL=serve.js.map