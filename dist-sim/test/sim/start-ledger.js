/** The host's wait before a probe and its start are not the same instant. */
const SLACK_MS = 2_000;
/** Counts fruitless starts as they really were: L17, whatever hosts were killed in between. */
export class StartLedger {
    #world;
    #rows = new Map();
    constructor(world) {
        this.#world = world;
    }
    started({ session }) {
        const { settings, timeline, clockJumps, engineFailedMs } = this.#world;
        const row = this.#rowOf(session);
        // Whether those ended with the engine nobody can tell.
        const fruitless = row.fruitless.filter((startedMs) => startedMs > engineFailedMs).length;
        const most = settings.guardMaxRestarts + 1;
        const waitedMs = timeline.wallMs - row.lastStartWallMs;
        // A clock that was set lets probes come early or late.
        const isEarly = waitedMs + SLACK_MS < settings.guardProbeMs && row.jumpsAtLastStart === clockJumps;
        if (fruitless >= most && isEarly) {
            this.#world.violate(`${session} is started again ${String(waitedMs)} ms after ${String(fruitless)} starts that claimed nothing`);
        }
        row.lastStartWallMs = timeline.wallMs;
        row.jumpsAtLastStart = clockJumps;
    }
    died({ session, hasClaimed, startedMonotonicMs }, isHostCaused) {
        const row = this.#rowOf(session);
        if (hasClaimed)
            row.fruitless = [];
        else if (!isHostCaused)
            row.fruitless.push(startedMonotonicMs);
    }
    released(session) {
        this.#rowOf(session).fruitless = [];
    }
    #rowOf(session) {
        const known = this.#rows.get(session);
        if (known !== undefined)
            return known;
        const row = { fruitless: [], lastStartWallMs: 0, jumpsAtLastStart: 0 };
        this.#rows.set(session, row);
        return row;
    }
}
//# sourceMappingURL=start-ledger.js.map