import { NightporterError } from '../../protocol/errors.js';
import { quoted } from '../input-texts.js';
import { troubleOf, whileBusy } from '../read-files.js';
import { requireSession, requireTrusted } from '../require-session.js';
import { comingTimes, viewOfOccurrence, viewOfSeries, viewOfSpooled } from './schedule-view.js';
const OCCURRENCES_SHOWN = 50;
/**
 * Series that go on, by session and next time; those of sessions whose files cannot be read are a problem among the rows.
 * @throws NightporterError `usage`, `not_found` (for a named session)
 */
export async function* listSchedules(desk, options) {
    if (options.session !== undefined) {
        for (const row of await schedulesOf(desk, requireSession(desk, options.session), null))
            yield { row };
        return;
    }
    for (const record of desk.registry.sessionsWithSeries()) {
        try {
            for (const row of await schedulesOf(desk, record, null))
                yield { row };
        }
        catch (error) {
            if (!(error instanceof NightporterError))
                throw error;
            yield { problem: error.message };
        }
    }
}
async function schedulesOf(desk, record, series) {
    requireTrusted(record);
    const { address } = record;
    const outcome = await whileBusy(desk, () => desk.files.series(address, series));
    if (outcome.kind !== 'ok' && outcome.kind !== 'missing')
        throw troubleOf(address, outcome);
    const rows = outcome.kind === 'ok' ? outcome.rows.map((row) => viewOfSeries(desk, address, row)) : [];
    const known = new Set(rows.map((row) => row.series));
    const spooled = desk.registry
        .spooledSeries(address)
        .map((message) => viewOfSpooled(desk, address, message))
        .filter((view) => !known.has(view.series) && (series === null || view.series === series));
    return [...rows, ...spooled];
}
/**
 * One series, its next times and its newest occurrences; an ended one as far as its file knows it.
 * @throws NightporterError `usage`, `not_found`, `refused`
 */
export async function showSchedule(desk, session, series) {
    const record = requireSession(desk, session);
    const [schedule] = await schedulesOf(desk, record, series);
    const outcome = await whileBusy(desk, () => desk.files.occurrences(record.address, series, OCCURRENCES_SHOWN));
    if (outcome.kind !== 'ok' && outcome.kind !== 'missing')
        throw troubleOf(record.address, outcome);
    const rows = outcome.kind === 'ok' ? outcome.rows : [];
    if (schedule === undefined && rows.length === 0)
        throw noSuchSeries(record, series);
    return {
        session: record.address,
        series,
        schedule: schedule ?? null,
        times: schedule === undefined ? [] : comingTimes(schedule),
        occurrences: rows.filter(({ live }) => !live).map(viewOfOccurrence),
    };
}
export function noSuchSeries(record, series) {
    return new NightporterError('not_found', `${record.address} has no series ${quoted(series)} that goes on: "nightporter schedule list ${record.address}" shows those that it has`);
}
//# sourceMappingURL=list-schedules.js.map