import { NightporterError } from '../protocol/errors.js';
import { readFilter } from './dead-filter.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
/** Per session. */
const MOST_LISTED = 10_000;
/**
 * Dead letters that a filter lets through, session by session, newest first in each. A session whose files cannot be
 * read is a problem among them, unless it is the one that was named. Only sessions that have any are visited.
 * @throws NightporterError `usage`, `not_found` (for a named session)
 */
export async function* findDead(desk, filter) {
    const matches = readFilter(filter, filter.until, desk.clock.now());
    let room = filter.limit ?? Infinity;
    const pick = (letters) => {
        const picked = letters.filter(matches).slice(0, room);
        room -= picked.length;
        return picked;
    };
    if (filter.session !== undefined) {
        const record = requireSession(desk, filter.session);
        if (filter.group !== undefined && record.group !== filter.group)
            return;
        yield { record, letters: pick(await deadOf(desk, record, filter.purged === true)) };
        return;
    }
    const group = filter.group;
    for (const record of desk.registry.sessionsWithFailed({ group, purged: filter.purged === true })) {
        if (room <= 0)
            return;
        try {
            const letters = pick(await deadOf(desk, record, filter.purged === true));
            if (letters.length > 0)
                yield { record, letters };
        }
        catch (error) {
            if (!(error instanceof NightporterError))
                throw error;
            yield { problem: error.message };
        }
    }
}
async function deadOf(desk, record, purged) {
    requireTrusted(record);
    const { address } = record;
    const outcome = await whileBusy(desk, () => desk.files.failed(address, MOST_LISTED, { purged }));
    if (outcome.kind === 'missing')
        return [];
    if (outcome.kind !== 'ok')
        throw troubleOf(address, outcome);
    if (outcome.rows.length === 0)
        return [];
    const key = (id, attempt) => `${attempt} ${id}`;
    const reasons = new Map(desk.registry.failures(address).map((end) => [key(end.id, end.attempt), end.reason]));
    const replays = new Map(desk.registry.replays(address).map((replay) => [replay.id, replay.requestedAtMs]));
    return outcome.rows.map((row) => ({
        ...row,
        session: address,
        reason: reasons.get(key(row.id, row.attempt)) ?? reasonOf(row.errorClass),
        replayRequestedAtMs: replays.get(row.id) ?? null,
    }));
}
/** Of an end that nobody recorded: older versions did not. */
export function reasonOf(errorClass) {
    return errorClass ?? 'unclassed';
}
//# sourceMappingURL=find-dead.js.map