import { NightporterError } from '../protocol/errors.js';
import { requireSelection } from './dead-filter.js';
import { findDead } from './find-dead.js';
import { requireDead } from './name-dead.js';
import { requireSession } from './require-session.js';
/** Requests that go into one commit. */
const REQUESTS_PER_COMMIT = 500;
/**
 * Has dead letters tried again, each as a new attempt with all its tries and its history. Once this returns they are
 * durably asked for; the next look at their session re-arms them.
 * @throws NightporterError `usage`, `not_found`, `refused` (not dead, closed session), `failed` (files locked or damaged)
 */
export async function retryDead(desk, selection) {
    requireSelection(selection, 'retry');
    const { ids = [], session, dryRun = false } = selection;
    const named = session === undefined ? undefined : requireSession(desk, session);
    if (named !== undefined)
        refuseClosed(named);
    if (ids.length > 0 && named !== undefined) {
        const requests = await requireDead(desk, named, ids);
        if (!dryRun)
            request(desk, [{ record: named, requests }]);
        return { dryRun, retried: viewsOf(desk, { record: named, requests }), problems: [] };
    }
    const retried = [];
    const problems = [];
    let batches = [];
    for await (const found of findDead(desk, selection)) {
        if ('problem' in found)
            problems.push(found.problem);
        else if (found.record.status === 'closed')
            problems.push(explainClosed(found.record));
        else {
            const batch = { record: found.record, requests: found.letters };
            retried.push(...viewsOf(desk, batch));
            batches.push(batch);
        }
        if (dryRun || count(batches) < REQUESTS_PER_COMMIT)
            continue;
        request(desk, batches);
        batches = [];
    }
    if (!dryRun)
        request(desk, batches);
    return { dryRun, retried, problems };
}
function request(desk, batches) {
    if (batches.length === 0)
        return;
    desk.registry.together(() => {
        for (const { record, requests } of batches) {
            desk.registry.requestReplays(record.address, requests.map(({ id, attempt }) => ({ id, attempt })), desk.clock.now());
        }
    });
    desk.log.info({ messages: count(batches), sessions: batches.length }, 'dead letters are to be tried again');
    for (const { record } of batches)
        desk.rounds?.hint(record.address);
}
function count(batches) {
    return batches.reduce((sum, { requests }) => sum + requests.length, 0);
}
function viewsOf(desk, { record, requests }) {
    const waits = waitOf(desk, record);
    return requests.map(({ id, attempt }) => ({ session: record.address, id, attempt: attempt + 1, waits }));
}
/** What keeps the session from being woken for it; null: nothing. */
function waitOf(desk, { quarantine, status, heldSinceMs }) {
    if (quarantine !== null)
        return 'quarantined';
    if (status === 'suspended')
        return 'suspended';
    if (heldSinceMs !== null)
        return 'held';
    if (desk.rounds === null)
        return 'no_daemon';
    return desk.rounds.state().draining ? 'draining' : null;
}
function refuseClosed(record) {
    if (record.status === 'closed')
        throw new NightporterError('refused', explainClosed(record));
}
function explainClosed({ address }) {
    return `session ${address} is closed, nothing of it is tried again: "nightporter session reopen ${address}" first`;
}
//# sourceMappingURL=retry-dead.js.map