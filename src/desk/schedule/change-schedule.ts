import type { SeriesEdit, SeriesRow } from '../../ports/series.js';
import type { SessionRecord } from '../../ports/registry.js';
import type { MessageId } from '../../protocol/address.js';
import { NightporterError } from '../../protocol/errors.js';
import type { ScheduleChange } from '../api.js';
import type { Desk } from '../desk.js';
import { troubleOf, whileBusy } from '../read-files.js';
import { requireSession, requireTrusted } from '../require-session.js';
import { requireContent } from '../send-message.js';
import type { ScheduleChangedView } from '../views.js';
import { requireCron, requireMissed, requireNext, requireZone } from './input-schedule.js';
import { noSuchSeries } from './list-schedules.js';
import { viewOfSeries } from './schedule-view.js';

/** The live row may end while it is being changed: then the next one is. */
const MOST_ATTEMPTS = 5;

/**
 * Pauses, resumes, runs, sets or cancels a series, whether or not an occurrence of it is under way.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined, closed), `failed` (its file is locked)
 */
export async function changeSchedule(
  desk: Desk,
  session: string,
  series: string,
  change: ScheduleChange,
): Promise<ScheduleChangedView> {
  const record = requireSession(desk, session);
  requireTrusted(record);
  if (record.status === 'closed' && (change.change === 'run-now' || change.change === 'resume')) {
    throw new NightporterError(
      'refused',
      `session ${record.address} is closed: reopen it with "nightporter session reopen ${record.address}"`,
    );
  }
  await deliverNow(desk, record);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const row = await requireSeries(desk, record, series);
    const edit = editOf(desk, row, change);
    if (edit === undefined) return viewOfChange(desk, record, row, { changed: false, claimed: false, id: null });
    const { id, recurrence, timezone } = row;
    const outcome = await whileBusy(desk, () =>
      desk.files.changeSeries(record.address, {
        series,
        expect: { id, recurrence, timezone },
        nowMs: desk.clock.now(),
        edit,
      }),
    );
    if (outcome.kind !== 'ok') throw troubleOf(record.address, outcome);
    if (!outcome.written) continue;
    if (edit.kind === 'cancel') desk.registry.spendMessageId(record.address, series as MessageId);
    desk.registry.lowerNextDue(record.address, desk.clock.now());
    desk.rounds?.hint(record.address);
    desk.log.info({ session: record.address, series, change: change.change }, 'series changed by the operator');
    const after = edit.kind === 'cancel' ? row : await requireSeries(desk, record, series);
    const runId = edit.kind === 'run_now' ? edit.id : null;
    return viewOfChange(desk, record, after, { changed: true, claimed: outcome.claimed, id: runId });
  }
  throw new NightporterError('failed', `series ${series} of ${record.address} changes too fast: try again`);
}

function viewOfChange(
  desk: Desk,
  record: SessionRecord,
  row: SeriesRow,
  what: { readonly changed: boolean; readonly claimed: boolean; readonly id: string | null },
): ScheduleChangedView {
  return {
    ...viewOfSeries(desk, record.address, row),
    changed: what.changed,
    underWay: what.claimed,
    message: what.id,
  };
}

/** What is accepted and not in its file yet is put there first; idempotent, whoever else does it at the same time. */
async function deliverNow(desk: Desk, record: SessionRecord): Promise<void> {
  if (desk.registry.spooledSeries(record.address).length === 0) return;
  for (;;) {
    const batch = desk.registry.spooled(record.address, 500);
    if (batch.length === 0) return;
    const outcome = await whileBusy(desk, () => desk.files.deliver(record.address, batch));
    if (outcome.kind !== 'ok') throw troubleOf(record.address, outcome);
    desk.registry.unspool(
      record.address,
      batch.map(({ id }) => id),
    );
  }
}

async function requireSeries(desk: Desk, record: SessionRecord, series: string): Promise<SeriesRow> {
  const outcome = await whileBusy(desk, () => desk.files.series(record.address, series));
  if (outcome.kind === 'missing') throw noSuchSeries(record, series);
  if (outcome.kind !== 'ok') throw troubleOf(record.address, outcome);
  const [row] = outcome.rows;
  if (row === undefined) throw noSuchSeries(record, series);
  return row;
}

/** undefined: it is so already. */
function editOf(desk: Desk, row: SeriesRow, change: ScheduleChange): SeriesEdit | undefined {
  const nowMs = desk.clock.now();
  switch (change.change) {
    case 'pause':
      return row.paused ? undefined : { kind: 'pause' };
    case 'resume': {
      if (!row.paused) return undefined;
      // A pause is meant: what fell into it is not made up for.
      const zone = row.timezone ?? desk.settings().timezone;
      const aheadMs = row.occurrenceMs !== null && row.occurrenceMs > nowMs ? row.occurrenceMs : undefined;
      return { kind: 'resume', nextMs: aheadMs ?? requireNext(row.recurrence, zone, nowMs) };
    }
    case 'run-now':
      return { kind: 'run_now', id: `${row.series}@now-${desk.random.id()}` as MessageId };
    case 'cancel':
      return { kind: 'cancel' };
    case 'set':
      return setOf(desk, row, change, nowMs);
  }
}

function setOf(desk: Desk, row: SeriesRow, change: ScheduleChange, nowMs: number): SeriesEdit {
  const { cron, tz, missed, text } = change;
  if (cron === undefined && tz === undefined && missed === undefined && text === undefined) {
    throw new NightporterError('usage', 'nothing to set: name --cron, --tz, --missed or --text');
  }
  const recurrence = cron === undefined ? row.recurrence : requireCron(cron);
  const timezone = tz === undefined ? row.timezone : requireZone(tz);
  return {
    kind: 'set',
    recurrence,
    timezone,
    missed: missed === undefined ? row.missed : requireMissed(missed),
    content: text === undefined ? null : requireContent(desk, { text }),
    nextMs: requireNext(recurrence, timezone ?? desk.settings().timezone, nowMs),
  };
}
