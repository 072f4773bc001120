import type { OccurrenceView, ScheduleDetailView, ScheduleView } from '../../desk/views.js';
import { oneLine } from '../../protocol/plain-text.js';
import { shortTime } from './columns.js';

export const SCHEDULE_HEAD = 'NEXT (UTC)           CRON             ZONE             LAST       SERIES\n';

export function scheduleLine(row: ScheduleView): string {
  const columns = [
    (row.paused ? 'paused' : shortTime(row.next)).padEnd(20),
    oneLine(row.cron).padEnd(16),
    oneLine(row.timezone).padEnd(16),
    (row.lastStatus ?? '-').padEnd(10),
    `${row.session} ${oneLine(row.series)}`,
  ];
  return `${columns.join(' ')}\n`;
}

export function scheduleText({ session, series, schedule, times, occurrences }: ScheduleDetailView): string {
  const lines = [`${session} ${oneLine(series)}`];
  if (schedule === null) lines.push('  has ended');
  else {
    lines.push(`  schedule  ${oneLine(schedule.cron)} in ${oneLine(schedule.timezone)}, missed: ${schedule.missed}`);
    lines.push(`  next      ${schedule.paused ? 'paused' : times.map((time) => shortTime(time)).join(', ')}`);
  }
  lines.push(occurrences.length === 0 ? '  no occurrence yet' : '  occurrences, newest first (UTC):');
  return [...lines, ...occurrences.map(occurrenceLine)].join('\n') + '\n';
}

function occurrenceLine({ occurrence, status, lateMs, tries, error, id }: OccurrenceView): string {
  const when = occurrence === null ? 'by hand' : shortTime(occurrence);
  const late = lateMs === null ? '' : `, ended ${String(Math.round(lateMs / 1_000))} s after it was due`;
  const why = error === null ? '' : `: ${oneLine(error)}`;
  return `    ${when.padEnd(20)} ${status.padEnd(10)} tries ${String(tries)}${late}${why}  ${oneLine(id)}`;
}
