import { realpathSync } from 'node:fs';
import { operationsOf } from '../../src/store/session-files/operations.js';
import { faultError, OperatedSessionFiles } from '../../src/store/session-files/operated-session-files.js';
import { faultOf } from '../../src/store/worker/serve.js';
/**
 * The operations that file workers carry out, on real files, in this process: for tests that must decide when each of
 * them happens. Nothing here ends a call that hangs.
 */
export class InProcessSessionFiles extends OperatedSessionFiles {
    #operations;
    #now;
    #around;
    constructor({ dataDir, now, outboundMaxBytes = 2 ** 30, around }) {
        super();
        this.#operations = operationsOf({
            dataDir: realpathSync(dataDir),
            outboundMaxBytes,
            outOwner: undefined,
            attachments: { maxBytes: 64 * 1024 * 1024, max: 20 },
        });
        this.#now = now;
        // eslint-disable-next-line @typescript-eslint/require-await -- a throw is a rejection
        this.#around = around ?? (async (_call, work) => work());
    }
    async signatures(sessions) {
        const found = await this.#around({ operation: 'signatures', session: null, params: [sessions] }, () => carryOut('reading the signatures of session files', () => this.#operations.signatures(sessions)));
        return 'kind' in found ? sessions.map(() => null) : found;
    }
    close() {
        return Promise.resolve();
    }
    ask(session, operation, params) {
        return this.#around({ operation, session, params }, () => carryOut(`${operation} ${session}`, () => {
            const carry = this.#operations[operation];
            return carry(...params);
        }));
    }
    now() {
        return this.#now();
    }
    lost() {
        // Nobody is told in a test.
    }
}
function carryOut(what, work) {
    try {
        return work();
    }
    catch (error) {
        throw faultError(faultOf(error), what);
    }
}
//# sourceMappingURL=in-process-files.js.map