import { NightporterError } from '../protocol/errors.js';
import { formatInstant } from '../protocol/times.js';
import type { SweepReport } from '../ports/rounds.js';
import type { Desk } from './desk.js';
import { quoted } from './input-texts.js';
import type { LastSweepView, SweepView } from './views.js';

export type { SweepReport } from '../ports/rounds.js';

/**
 * One round now, by the daemon.
 * @throws NightporterError `unavailable` (no daemon), `refused` (the daemon has another runtime)
 */
export async function sweep(
  desk: Desk,
  options: { readonly dryRun: boolean; readonly runtime?: string | undefined },
): Promise<SweepView> {
  if (desk.rounds === null) throw new NightporterError('unavailable', 'no daemon runs here that could make a round');
  const asked = options.runtime ?? 'auto';
  const { kind } = desk.rounds.state().runtime;
  if (asked !== 'auto' && asked !== kind) {
    throw new NightporterError(
      'refused',
      `the daemon works with the runtime ${quoted(kind)}, not ${quoted(asked)}: leave --runtime out, or stop the daemon first`,
    );
  }
  return viewOfSweep(await desk.rounds.sweep({ dryRun: options.dryRun }), options.dryRun);
}

export function viewOfSweep(report: SweepReport, dryRun: boolean): SweepView {
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

export function viewOfLastSweep(last: Omit<SweepReport, 'actions'>): LastSweepView {
  return {
    startedAt: formatInstant(last.startedAtMs),
    durationMs: Math.round(last.durationMs),
    swept: last.swept,
    skipped: last.skipped,
    errors: last.errors,
  };
}
