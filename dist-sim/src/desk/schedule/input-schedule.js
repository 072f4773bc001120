import { closest } from 'fastest-levenshtein';
import { parseCron } from '../../core/schedule/cron.js';
import { nextOccurrence } from '../../core/schedule/occurrences.js';
import { NightporterError } from '../../protocol/errors.js';
import { MISSED_POLICIES } from '../../protocol/rows.js';
import { isZone, knownZones } from '../../protocol/zones.js';
import { quoted } from '../input-texts.js';
/** What somebody typed, with white space made single. @throws NightporterError `usage` */
export function requireCron(text) {
    const parsed = parseCron(text);
    if (parsed.kind === 'ok')
        return text.trim().split(/\s+/).join(' ');
    throw new NightporterError('usage', `${quoted(text)} is no cron expression: ${parsed.why}; write five fields, like "0 9 * * 1-5" (minute hour day-of-month month day-of-week)`);
}
/** @throws NightporterError `usage` */
export function requireZone(text) {
    if (isZone(text))
        return text;
    throw new NightporterError('usage', `${quoted(text)} is no time zone: did you mean "${closest(text, [...knownZones()])}"? Names are like Europe/Berlin`);
}
/** @throws NightporterError `usage` */
export function requireMissed(text) {
    const known = MISSED_POLICIES.find((policy) => policy === text);
    if (known !== undefined)
        return known;
    throw new NightporterError('usage', `${quoted(text)} is no policy for missed occurrences: it is latest (one for all), skip (none) or all (each, at most 24)`);
}
/** An accepted expression in an accepted zone. */
export function scheduleFor(cron, zone) {
    const parsed = parseCron(cron);
    if (parsed.kind === 'ok')
        return { cron: parsed.cron, zone };
    throw new NightporterError('refused', `${quoted(cron)} is no cron expression: ${parsed.why}`);
}
/** @throws NightporterError `usage`: it never fires again */
export function requireNext(cron, zone, afterMs) {
    const nextMs = nextOccurrence(scheduleFor(cron, zone), afterMs);
    if (nextMs !== undefined)
        return nextMs;
    throw new NightporterError('usage', `${quoted(cron)} never fires after ${new Date(afterMs).toISOString()}`);
}
//# sourceMappingURL=input-schedule.js.map