import { nextOccurrence } from '../../core/schedule/occurrences.js';
import type { NewMessage } from '../../ports/session-files.js';
import type { OccurrenceRow, SeriesRow } from '../../ports/series.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Desk } from '../desk.js';
import { instantOrNull } from '../list-sessions.js';
import type { OccurrenceView, ScheduleView } from '../views.js';
import { scheduleFor } from './input-schedule.js';

/** How many of the coming times are shown. */
const TIMES_SHOWN = 5;

export function viewOfSeries(desk: Desk, session: SessionAddress, row: SeriesRow): ScheduleView {
  return {
    session,
    series: row.series,
    cron: row.recurrence,
    timezone: row.timezone ?? desk.settings().timezone,
    next: row.paused ? null : instantOrNull(row.dueAtMs),
    paused: row.paused,
    lastStatus: row.last?.status ?? null,
    lastFinishedAt: instantOrNull(row.last?.finishedAtMs ?? null),
    missed: row.missed,
    kind: row.kind,
  };
}

/** One that is accepted and not in its session's file yet. */
export function viewOfSpooled(desk: Desk, session: SessionAddress, message: NewMessage): ScheduleView {
  return {
    session,
    series: message.seriesId ?? message.id,
    cron: message.recurrence ?? '',
    timezone: message.timezone ?? desk.settings().timezone,
    next: instantOrNull(message.processAfterMs),
    paused: false,
    lastStatus: null,
    lastFinishedAt: null,
    missed: message.missed ?? 'latest',
    kind: message.kind,
  };
}

export function viewOfOccurrence(row: OccurrenceRow): OccurrenceView {
  const { id, status, occurrenceMs, finishedAtMs, tries, errorClass, error } = row;
  return {
    id,
    status,
    occurrence: instantOrNull(occurrenceMs),
    finishedAt: instantOrNull(finishedAtMs),
    lateMs: occurrenceMs === null || finishedAtMs === null ? null : finishedAtMs - occurrenceMs,
    tries,
    errorClass,
    error,
  };
}

/** The times to come of a series that goes on; none while it is paused. */
export function comingTimes(view: ScheduleView): readonly string[] {
  const times: string[] = [];
  let atMs = view.next === null ? undefined : Date.parse(view.next);
  while (atMs !== undefined && times.length < TIMES_SHOWN) {
    times.push(new Date(atMs).toISOString());
    atMs = nextOccurrence(scheduleFor(view.cron, view.timezone), atMs);
  }
  return times;
}
