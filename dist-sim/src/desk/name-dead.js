import { NightporterError } from '../protocol/errors.js';
import { quoted } from './input-texts.js';
import { troubleOf, whileBusy } from './read-files.js';
/**
 * Dead letters named by their ids: all of them, or an error that says what each of the others is.
 * @throws NightporterError `not_found`, `refused` (not dead), `failed` (files locked or damaged)
 */
export async function requireDead(desk, record, ids) {
    const { address } = record;
    const wanted = [...new Set(ids)];
    const states = record.quarantine === null ? await statesOf(desk, address, wanted) : knownEnds(desk, address, wanted);
    const known = new Map(states.map((state) => [state.id, state]));
    const wrong = wanted.flatMap((id) => explain(record, id, known.get(id)?.status) ?? []);
    const [first] = wrong;
    if (first === undefined)
        return states;
    const code = wrong.every((one) => one.code === 'not_found') ? 'not_found' : 'refused';
    throw new NightporterError(code, wrong.map(({ why }) => why).join('; '));
}
async function statesOf(desk, session, ids) {
    const outcome = await whileBusy(desk, () => desk.files.states(session, ids));
    if (outcome.kind === 'missing')
        return [];
    if (outcome.kind !== 'ok')
        throw troubleOf(session, outcome);
    return outcome.rows;
}
/** Nothing of a quarantined session's files is read: what the registry knows has to do. */
function knownEnds(desk, session, ids) {
    return ids.flatMap((id) => {
        const last = desk.registry.turnEnds(session, id).at(-1);
        if (last?.outcome !== 'fail')
            return [];
        return [{ id, status: 'failed', attempt: last.attempt, purgedAtMs: null }];
    });
}
function explain({ address, quarantine }, id, status) {
    const what = `message ${quoted(id)} of ${address}`;
    switch (status) {
        case 'failed':
            return undefined;
        case undefined:
            return quarantine === null
                ? { code: 'not_found', why: `there is no ${what}: "nightporter dead list ${address}" shows the dead letters` }
                : {
                    code: 'refused',
                    why: `${what} is not known to be dead, and the session is quarantined: "nightporter session release ${address}" first`,
                };
        case 'completed':
            return { code: 'refused', why: `${what} is not dead: it is completed` };
        case 'pending':
        case 'paused':
            return { code: 'refused', why: `${what} is not dead: it is ${status} and has its turn yet` };
    }
}
//# sourceMappingURL=name-dead.js.map