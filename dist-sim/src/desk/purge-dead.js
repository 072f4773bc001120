import { NightporterError } from '../protocol/errors.js';
import { formatInstant } from '../protocol/times.js';
import { requireSelection } from './dead-filter.js';
import { findDead } from './find-dead.js';
import { requireDead } from './name-dead.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
/**
 * Hides dead letters from lists and counts; `dead retry` brings one back. Those that wait to be tried again stay.
 * @throws NightporterError `usage`, `not_found`, `refused` (not dead, quarantined), `failed` (files locked or damaged)
 */
export async function purgeDead(desk, selection) {
    requireSelection(selection, 'purge');
    const { ids = [], session, dryRun = false } = selection;
    const asOf = formatInstant(desk.clock.now());
    const named = session === undefined ? undefined : requireSession(desk, session);
    if (ids.length > 0 && named !== undefined) {
        const chosen = await requirePurgeable(desk, named, ids);
        const purged = dryRun ? chosen : await hide(desk, named, chosen);
        return { dryRun, asOf, purged: viewsOf(named, purged), problems: [] };
    }
    const purged = [];
    const problems = [];
    for await (const found of findDead(desk, { ...selection, purged: false })) {
        if ('problem' in found) {
            problems.push(found.problem);
            continue;
        }
        const { record, letters } = found;
        const chosen = letters.filter(({ replayRequestedAtMs }) => replayRequestedAtMs === null).map(({ id }) => id);
        try {
            const hidden = dryRun ? chosen : await hide(desk, record, chosen);
            purged.push(...viewsOf(record, hidden));
        }
        catch (error) {
            if (!(error instanceof NightporterError) || named !== undefined)
                throw error;
            problems.push(error.message);
        }
    }
    return { dryRun, asOf, purged, problems };
}
async function requirePurgeable(desk, record, ids) {
    requireTrusted(record);
    const dead = await requireDead(desk, record, ids);
    const replays = new Set(desk.registry.replays(record.address).map(({ id }) => id));
    const wanted = dead.find(({ id }) => replays.has(id));
    if (wanted !== undefined) {
        throw new NightporterError('refused', `message ${wanted.id} of ${record.address} is about to be tried again`);
    }
    return dead.filter(({ purgedAtMs }) => purgedAtMs === null).map(({ id }) => id);
}
async function hide(desk, record, ids) {
    if (ids.length === 0)
        return [];
    const { address } = record;
    const outcome = await whileBusy(desk, () => desk.files.purge(address, ids, desk.clock.now()));
    if (outcome.kind !== 'ok')
        throw troubleOf(address, outcome);
    const { purged, failed, hidden } = outcome;
    desk.registry.together(() => {
        desk.registry.countDead(address, { failed, purged: hidden });
        if (failed === 0)
            desk.registry.settleNotice('dead_letter', address);
    });
    desk.log.info({ session: address, messages: purged.length }, 'dead letters purged');
    // What counted them while they were hidden counts again.
    desk.rounds?.hint(address);
    return purged;
}
function viewsOf({ address }, ids) {
    return ids.map((id) => ({ session: address, id }));
}
//# sourceMappingURL=purge-dead.js.map