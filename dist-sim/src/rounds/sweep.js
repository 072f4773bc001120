import { isStale } from '../core/plan/judge.js';
import { stalenessWaits } from '../core/plan/fleet.js';
import { containerFacts, filesObservation } from './observe.js';
import { reconcile } from './reconcile.js';
/** Looks begun side by side; the file workers are the real limit. */
const SIDE_BY_SIDE = 16;
/** One bounded pass over all sessions. */
export class Sweep {
    #porter;
    #hints;
    #room;
    #look;
    #lastMonotonicMs = null;
    #lastWallMs = null;
    #driftAfter;
    #stale = new Set();
    constructor(options) {
        this.#porter = options.porter;
        this.#hints = options.hints;
        this.#room = options.room;
        this.#look = options.look;
    }
    async run(options) {
        const { clock, registry } = this.#porter;
        const startedAtMs = clock.now();
        const startedMonotonicMs = clock.monotonic();
        const late = this.#lateness(startedAtMs, startedMonotonicMs);
        const actions = [];
        const failed = new Set();
        const record = (action) => {
            actions.push(action);
        };
        await reconcile(this.#porter, record);
        const stale = await this.#countStale();
        const waits = stalenessWaits({ ...stale, ...late }, { sweepIntervalMs: this.#porter.settings.sweepIntervalMs });
        this.#tellWaits(waits);
        const pass = { kind: 'round', stalenessWaits: waits, record, error: (session) => failed.add(session) };
        const sessions = await this.#candidates(options);
        await this.#lookAtAll(sessions, pass);
        this.#room.dispatch();
        const { active } = registry.totals().sessions;
        return {
            startedAtMs,
            durationMs: clock.monotonic() - startedMonotonicMs,
            swept: sessions.size,
            skipped: Math.max(0, active - sessions.size),
            errors: failed.size,
            actions,
        };
    }
    #lateness(wallMs, monotonicMs) {
        const sinceMs = this.#lastMonotonicMs === null ? 0 : monotonicMs - this.#lastMonotonicMs;
        const wallSinceMs = this.#lastWallMs === null ? 0 : wallMs - this.#lastWallMs;
        this.#lastMonotonicMs = monotonicMs;
        this.#lastWallMs = wallMs;
        return {
            roundLateMs: Math.max(0, sinceMs - this.#porter.settings.sweepIntervalMs),
            wallJumpMs: wallSinceMs - sinceMs,
        };
    }
    /** Looks at what runs, so that a fleet gone silent at once is told from one that hangs. */
    async #countStale() {
        const running = this.#porter.fleet.running();
        const silent = new Set();
        let stale = 0;
        for (const { session, container, one } of running) {
            const record = this.#porter.registry.findSession(session);
            if (record === undefined || record.quarantine !== null || one.inFlight !== null)
                continue;
            const look = async () => {
                const facts = containerFacts(this.#porter, record, one, container);
                const lane = one.busyLooks > 0 ? 'slow' : 'normal';
                const outcome = await this.#porter.files.look(session, { nowMs: this.#porter.clock.now(), lane });
                if (outcome.kind !== 'ok' || facts.kind !== 'running')
                    return false;
                const files = filesObservation(this.#porter, one, facts, outcome);
                if (files.kind !== 'read')
                    return false;
                return isStale(files.memory, facts, this.#porter.policy(record), {
                    nowMs: this.#porter.clock.now(),
                    monotonicMs: this.#porter.clock.monotonic(),
                });
            };
            // What cannot be read at all is told of by its own look.
            const isSilent = await this.#hints.alone(session, () => look().catch(() => false));
            if (!isSilent)
                continue;
            silent.add(session);
            // Who was stale in the last round already had its round of waiting.
            if (!this.#stale.has(session))
                stale += 1;
        }
        this.#stale = silent;
        return { running: running.length, stale };
    }
    #tellWaits(waits) {
        const { notices } = this.#porter;
        if (waits === 'mass_stale') {
            notices.raise('mass_stale', null, 'more than half of the running containers went silent at once: stops for staleness wait one round; check the disk and the machine');
        }
        else
            notices.settle('mass_stale', null);
        if (waits === 'clock_jump' || waits === 'late_round') {
            notices.raise('clock_jump', null, 'the clock jumped or the machine slept: stops for staleness wait one round');
        }
        else
            notices.settle('clock_jump', null);
    }
    async #candidates(options) {
        const { registry, fleet, clock } = this.#porter;
        const sessions = new Set(fleet.sessions());
        for (const open of registry.openIncarnations())
            sessions.add(open.session);
        for (const page of registry.eachDue(clock.now())) {
            for (const session of page)
                if (!this.#room.isWaiting(session))
                    sessions.add(session);
            await othersTurn();
        }
        if (options.everySession) {
            for (const record of registry.eachSession())
                if (record.status !== 'closed')
                    sessions.add(record.address);
        }
        else
            for (const session of await this.#drifted())
                sessions.add(session);
        return sessions;
    }
    /** A slice of the idle sessions in each round: their files should be as they were left. */
    async #drifted() {
        const { registry, files, settings } = this.#porter;
        const slice = registry.slice(this.#driftAfter, settings.driftSlice);
        this.#driftAfter = slice.length < settings.driftSlice ? undefined : slice.at(-1)?.session;
        if (slice.length === 0)
            return [];
        const signatures = await files.signatures(slice.map(({ session }) => session)).catch((err) => {
            this.#porter.log.error({ err }, 'signatures could not be read');
            return slice.map(({ signature }) => signature);
        });
        return slice.flatMap(({ session, signature }, index) => (signatures[index] ?? null) === signature ? [] : [session]);
    }
    async #lookAtAll(sessions, pass) {
        const queue = sessions.values();
        const worker = async () => {
            // One iterator shared by all workers: each takes the next.
            for (const one of queue) {
                // Its end is a hint; a slow engine must not hold up the others.
                if ((this.#porter.fleet.find(one)?.inFlight ?? null) !== null)
                    continue;
                if (this.#porter.isStopping())
                    return;
                try {
                    await this.#hints.alone(one, () => this.#look(one, pass));
                }
                catch (err) {
                    pass.error(one);
                    this.#porter.log.error({ err, session: one }, 'session could not be looked at');
                }
            }
        };
        await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
    }
}
/** Lets the event loop turn: a round over many sessions must not hold up whoever sends a message. */
function othersTurn() {
    return new Promise((resolve) => setImmediate(resolve));
}
//# sourceMappingURL=sweep.js.map