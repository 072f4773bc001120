import { isHostReason } from '../../src/core/reasons.js';
import { auditFile } from './file-audit.js';
import { StartLedger } from './start-ledger.js';
import { judgeStop } from './stop-audit.js';
/** What really happened in a simulation, and what must never have. */
export class Truth {
    messages = new Map();
    serieses = new Map();
    world;
    #starts;
    #engine;
    #orders = new Map();
    constructor(world) {
        this.world = world;
        this.#starts = new StartLedger(world);
    }
    watchEngine(engine) {
        this.#engine = engine;
    }
    get engine() {
        if (this.#engine === undefined)
            throw new Error('there is no engine yet');
        return this.#engine;
    }
    // --- what is sent
    sent(id, session, series) {
        const known = this.messages.get(id);
        if (known !== undefined)
            return known;
        const order = this.#orders.get(session) ?? 0;
        this.#orders.set(session, order + 1);
        const message = {
            ...{ id, session, series, order, isConfirmed: false, isInFile: false, spent: 0, doubtful: 0 },
            ...{ isCompleted: false, isFinal: false, ended: null, replays: 0 },
        };
        this.messages.set(id, message);
        return message;
    }
    /** A row that the host made of a series. */
    made(id, session, series) {
        const message = { ...this.sent(id, session, series), order: null };
        this.messages.set(id, message);
        return message;
    }
    // --- what containers do
    started(container) {
        const { session } = container;
        const others = this.engine.live().filter((one) => one.session === session && one !== container);
        if (others.length > 0)
            this.world.violate(`two live containers of ${session}`);
        this.#starts.started(container);
    }
    claimed(container, id) {
        const { timeline } = this.world;
        container.claims.set(id, { atMonotonicMs: timeline.monotonicMs, atWallMs: timeline.wallMs });
        const message = this.messages.get(id);
        if (message === undefined)
            this.world.violate(`${container.session} claims ${id}, which nobody sent`);
        else if (message.session !== container.session)
            this.world.violate(`${id} was claimed by ${container.session}`);
    }
    released(container, id) {
        container.claims.delete(id);
    }
    /** A turn ended with an ack. `end` null: failed without a class. */
    ended(container, id, end) {
        container.claims.delete(id);
        const message = this.messages.get(id);
        if (message === undefined)
            return;
        if (end === 'completed')
            message.isCompleted = true;
        else if (end === 'retryable')
            this.#spend(message);
        else if (end !== 'rate_limited')
            message.isFinal = true;
    }
    died(container, by) {
        const reason = by === 'host' ? (this.#stopReasons.get(`${container.session} ${String(container.epoch)}`) ?? null) : null;
        for (const id of container.claims.keys()) {
            const message = this.messages.get(id);
            if (message === undefined)
                continue;
            const isHostEnded = by === 'host' && (reason === null || isHostReason(reason));
            // What the engine or the host ended costs no try; it may cost one where nobody could tell who ended it.
            if (by === 'engine' || isHostEnded)
                message.doubtful += 1;
            else
                this.#spend(message);
        }
        const isHostCaused = by === 'engine' || (by === 'host' && (reason === null || isHostReason(reason)));
        this.#starts.died(container, isHostCaused);
        container.claims.clear();
    }
    #spend(message) {
        message.spent += 1;
        const most = this.world.settings.maxTries + 1;
        if (message.spent > most)
            this.world.violate(`${message.id} had ${String(message.spent)} turns, the most is ${String(most)}`);
    }
    // --- what the host does
    #stopReasons = new Map();
    stopIssued(id, registry) {
        const container = this.#requireOurs(id, 'stopped');
        if (container === undefined)
            return;
        const { session, epoch } = container;
        const reason = registry.findIncarnation(session, epoch)?.stopReason ?? null;
        this.world.note('stop issued', () => `${session} e${String(epoch)}: ${reason ?? 'without reason'}`);
        if (reason === null) {
            this.world.violate(`${session} is stopped without a reason`);
            return;
        }
        this.#stopReasons.set(`${session} ${String(epoch)}`, reason);
        const problem = judgeStop(this.world, container, reason);
        if (problem !== null)
            this.world.violate(`${session} e${String(epoch)} is stopped (${reason}): ${problem}`);
    }
    removeIssued(id, registry) {
        const container = this.#requireOurs(id, 'removed');
        if (container === undefined)
            return;
        const { session, epoch } = container;
        const reason = registry.findIncarnation(session, epoch)?.stopReason ?? null;
        if (reason !== null)
            this.#stopReasons.set(`${session} ${String(epoch)}`, reason);
    }
    #requireOurs(id, what) {
        if (this.engine.others().some((one) => one.id === id))
            this.world.violate(`another install's container is ${what}`);
        const found = this.engine.find(id);
        return found?.isDead === true ? undefined : found;
    }
    /** The operator let a held session go. */
    guardReleased(session) {
        this.#starts.released(session);
    }
    /** The host wrote to the session's files, or tried to. */
    readFiles(session) {
        auditFile(this, session);
    }
    /** Messages that have not ended. */
    unfinished() {
        return [...this.messages.values()].filter(({ ended, isConfirmed, isInFile }) => ended === null && (isConfirmed || isInFile));
    }
}
//# sourceMappingURL=truth.js.map