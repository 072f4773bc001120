import { RuntimeUnavailable } from '../../src/protocol/errors.js';
import { FakeRuntime } from '../support/fake-runtime.js';
import { SimContainer } from './container.js';
/** Whose containers are found and belong to nobody. */
export const STRAY = 'gone/away';
/** The engine, what runs on it, and another install's container. */
export class SimEngine {
    runtime;
    truth;
    isSlow = false;
    areEventsSilent = false;
    #world;
    #other;
    #containers = new Map();
    #unstoppable = new Set();
    #foreign = new Map();
    #isDown = false;
    constructor(world, install, truth) {
        this.#world = world;
        this.truth = truth;
        const { timeline } = world;
        const clock = { now: () => timeline.wallMs, after: (ms, run) => timeline.at(ms, null, run) };
        this.runtime = new FakeRuntime({ install, clock, program: (spec) => this.#appear(spec) });
        this.#other = this.runtime.ofInstall('other-install');
        truth.watchEngine(this);
        world.onClockJump((wallMs) => {
            for (const one of this.live())
                one.clockSet(wallMs);
        });
    }
    /** Nothing ends the session's container from outside. */
    unstoppable(session, is) {
        if (is)
            this.#unstoppable.add(session);
        else
            this.#unstoppable.delete(session);
        this.runtime.unstoppable(session, is);
    }
    /** Whose sessions' runners know no attempts; the same for all their incarnations. */
    isForeign(session) {
        const known = this.#foreign.get(session);
        if (known !== undefined)
            return known;
        const drawn = this.#world.chance.is(this.#world.habits.foreign);
        this.#foreign.set(session, drawn);
        return drawn;
    }
    live() {
        return [...this.#containers.values()].filter((one) => !one.isDead);
    }
    find(id) {
        const found = this.runtime.containers().find((one) => one.id === id);
        return found === undefined ? undefined : this.#containers.get(keyOf(found));
    }
    others() {
        return this.#other.containers();
    }
    /** Another install's container appears, of an address that this one knows too. */
    async plantOther(spec) {
        await this.#other.start({ ...spec, install: 'other-install', name: `np-other-${spec.name}` });
    }
    /** A container that carries our label, of whatever session. */
    async plantStray(spec) {
        await this.runtime.start(spec);
    }
    start(spec) {
        return this.runtime.start(spec);
    }
    async stop(id, graceMs) {
        this.#requireUp();
        const one = this.find(id);
        if (one !== undefined && !this.#unstoppable.has(one.session))
            await one.term(graceMs);
        return this.runtime.stop(id, 0);
    }
    async remove(id) {
        this.#requireUp();
        const one = this.find(id);
        if (one !== undefined && !this.#unstoppable.has(one.session))
            one.kill('host');
        await this.runtime.remove(id);
    }
    async list() {
        const own = await this.runtime.list();
        return this.#world.habits.listIsUnfiltered ? [...own, ...this.#other.containers()] : own;
    }
    down() {
        this.#isDown = true;
        this.runtime.engine('down');
    }
    up() {
        this.#isDown = false;
        this.runtime.engine('up');
    }
    restart() {
        this.down();
        for (const one of this.live())
            one.kill('engine');
    }
    #requireUp() {
        if (this.#isDown)
            throw new RuntimeUnavailable('the engine is down');
    }
    /** Called by the engine in the middle of a start. */
    #appear(spec) {
        if (spec.install !== this.runtime.install || spec.session === STRAY)
            return {};
        const one = new SimContainer(this.#world, this, spec);
        this.#containers.set(keyOf(spec), one);
        this.truth.started(one);
        one.boot();
        return {};
    }
}
function keyOf({ session, epoch }) {
    return `${session ?? '?'} ${String(epoch)}`;
}
//# sourceMappingURL=engine.js.map