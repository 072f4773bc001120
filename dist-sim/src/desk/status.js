import { formatInstant } from '../protocol/times.js';
import { readLastSweep, readRuntimeKind } from './facts.js';
import { viewOfLastSweep } from './sweep.js';
const NOTICES_SHOWN = 100;
/** Most sessions whose files are read to bring the counts up to date. */
const LOOKS_MAX = 200;
const LOOKS_AT_ONCE = 8;
/** How long a runtime is waited for when no daemon answers for it. */
const RUNTIME_PATIENCE_MS = 2_000;
const SESSIONS_PER_TURN = 500;
/** How things stand; reads only. Counts of what runs or has unfinished work are read from the files. */
export async function status(desk) {
    const state = desk.rounds?.state();
    const totals = desk.registry.totals();
    const { active, suspended, closed, held, quarantined } = totals.sessions;
    const containers = state === undefined ? await containersOrUndefined(desk) : undefined;
    const lastSweep = state === undefined ? readLastSweep(desk.registry) : state.lastSweep;
    return {
        runtime: viewOfRuntime(desk, state, containers !== undefined),
        sessions: { active, suspended, closed, held, quarantined, total: active + suspended + closed },
        messages: await refreshed(desk, totals.messages, state),
        containers: { running: state?.running.length ?? countRunning(desk, containers) },
        waiting: state?.waiting ?? 0,
        draining: state?.draining ?? false,
        lastSweep: lastSweep === null ? null : viewOfLastSweep(lastSweep),
        notices: desk.registry.openNotices(NOTICES_SHOWN).map(viewOfNotice),
        daemon: { running: state !== undefined, pid: state === undefined ? null : process.pid },
    };
}
function viewOfRuntime(desk, state, answers) {
    if (state !== undefined) {
        const { kind, state: reachable, description } = state.runtime;
        return { kind, state: reachable, description };
    }
    const kind = readRuntimeKind(desk.registry);
    if (kind === null)
        return { kind, state: 'unknown', description: 'decided at the first start' };
    if (desk.runtime === null)
        return { kind, state: 'unknown', description: 'not asked: no daemon runs' };
    return answers
        ? { kind, state: 'up', description: `${kind} answers; no daemon runs` }
        : { kind, state: 'down', description: `${kind} does not answer` };
}
function countRunning(desk, containers) {
    if (containers !== undefined)
        return containers.filter(({ state }) => state === 'running').length;
    return desk.registry.openIncarnations().filter(({ startedAtMs }) => startedAtMs !== null).length;
}
/** undefined: the runtime does not answer in time, or cannot be asked. */
async function containersOrUndefined(desk) {
    if (desk.runtime === null)
        return undefined;
    let cancel = () => undefined;
    const tooLate = new Promise((resolve) => {
        cancel = desk.clock.after(RUNTIME_PATIENCE_MS, () => {
            resolve(undefined);
        });
    });
    const listed = desk.runtime.list().catch((error) => {
        desk.log.debug({ err: error }, 'runtime does not answer');
        return undefined;
    });
    try {
        return await Promise.race([listed, tooLate]);
    }
    finally {
        cancel();
    }
}
/** The registry's counts are those of the last look: those of sessions that may have moved on since are read anew. */
async function refreshed(desk, known, state) {
    const records = state === undefined ? await unfinished(desk) : runningRecords(desk, state);
    const totals = { ...known };
    const nowMs = desk.clock.now();
    for (let at = 0; at < records.length; at += LOOKS_AT_ONCE) {
        const looks = records.slice(at, at + LOOKS_AT_ONCE).map(async (record) => {
            const outcome = await desk.files.look(record.address, { nowMs, lane: 'normal' });
            if (outcome.kind !== 'ok')
                return;
            for (const name of ['pending', 'processing', 'completed', 'failed', 'paused']) {
                totals[name] += outcome.counts[name] - record.counts[name];
            }
        });
        await Promise.all(looks);
    }
    return totals;
}
function runningRecords(desk, state) {
    return state.running
        .slice(0, LOOKS_MAX)
        .map(({ session }) => desk.registry.findSession(session))
        .filter((record) => record !== undefined)
        .filter(({ quarantine }) => quarantine === null);
}
async function unfinished(desk) {
    const found = [];
    let passed = 0;
    for (const record of desk.registry.eachSession()) {
        const { pending, processing } = record.counts;
        if (pending + processing > 0 && record.quarantine === null)
            found.push(record);
        if (found.length >= LOOKS_MAX)
            break;
        passed += 1;
        if (passed % SESSIONS_PER_TURN === 0)
            await new Promise(setImmediate);
    }
    return found;
}
function viewOfNotice(notice) {
    return {
        kind: notice.kind,
        session: notice.session,
        text: notice.text,
        count: notice.count,
        since: formatInstant(notice.atMs),
        last: formatInstant(notice.lastAtMs),
    };
}
//# sourceMappingURL=status.js.map