import { NightporterError } from '../protocol/errors.js';
import { formatInstant } from '../protocol/times.js';
import { quoted } from './input-texts.js';
/**
 * One round now, by the daemon.
 * @throws NightporterError `unavailable` (no daemon), `refused` (the daemon has another runtime)
 */
export async function sweep(desk, options) {
    if (desk.rounds === null)
        throw new NightporterError('unavailable', 'no daemon runs here that could make a round');
    const asked = options.runtime ?? 'auto';
    const { kind } = desk.rounds.state().runtime;
    if (asked !== 'auto' && asked !== kind) {
        throw new NightporterError('refused', `the daemon works with the runtime ${quoted(kind)}, not ${quoted(asked)}: leave --runtime out, or stop the daemon first`);
    }
    return viewOfSweep(await desk.rounds.sweep({ dryRun: options.dryRun }), options.dryRun);
}
export function viewOfSweep(report, dryRun) {
    return {
        dryRun,
        startedAt: formatInstant(report.startedAtMs),
        durationMs: Math.round(report.durationMs),
        actions: report.actions,
        counts: {
            swept: report.swept,
            skipped: report.skipped,
            errors: report.errors,
            actions: report.actions.length,
        },
    };
}
export function viewOfLastSweep(last) {
    return {
        startedAt: formatInstant(last.startedAtMs),
        durationMs: Math.round(last.durationMs),
        swept: last.swept,
        skipped: last.skipped,
        errors: last.errors,
    };
}
//# sourceMappingURL=sweep.js.map