const MINUTE_MS = 60_000;
/** From when an occurrence is due until its turn has ended, where nothing is wrong. */
const USUAL_MS = 10_000;
/** How long what was broken may still be felt. */
const TAIL_MS = 15_000;

/**
 * Of each series of every minute: no minute twice, one live row at the end, and a minute that is missing was had by a
 * later occurrence (`latest`), because the one before it had not ended or something was broken.
 */
export function auditSchedules(sessions, { accepted }, log, problems) {
  const counts = { series: 0, occurrences: 0, missed: 0 };
  for (const { session, id } of [...accepted.values()].filter(({ errand }) => errand === 'schedule')) {
    counts.series += 1;
    const rows = sessions.find((one) => one.session === session)?.messages.filter((row) => row.series_id === id) ?? [];
    const live = rows.filter((row) => row.recurrence !== null);
    if (live.length !== 1 || live[0].status !== 'paused') {
      problems.add(
        'a series without exactly one live row',
        `${session} ${id}: ${live.map(({ status }) => status).join(', ')}`,
      );
      continue;
    }
    const ended = rows.filter((row) => row.recurrence === null);
    for (const row of ended)
      if (row.status !== 'completed' && row.status !== 'failed') problems.add('an occurrence that did not end', row.id);
    counts.occurrences += ended.length;
    counts.missed += auditMinutes({ session, id, ended, live: live[0] }, log, problems);
  }
  return counts;
}

function auditMinutes({ session, id, ended, live }, log, problems) {
  const all = [...ended, live].map((row) => ({
    atMs: Date.parse(row.occurrence),
    endedMs: Date.parse(row.finished_at ?? ''),
  }));
  all.sort((a, b) => a.atMs - b.atMs);
  let missed = 0;
  for (let index = 1; index < all.length; index += 1) {
    const [before, after] = [all[index - 1], all[index]];
    if (after.atMs === before.atMs)
      problems.add('a minute twice', `${session} ${id}: ${new Date(after.atMs).toISOString()}`);
    if (!(before.endedMs >= before.atMs)) problems.add('an occurrence before its time', `${session} ${id}`);
    for (let minuteMs = before.atMs + MINUTE_MS; minuteMs < after.atMs; minuteMs += MINUTE_MS) {
      missed += 1;
      const wasBusy = before.endedMs >= minuteMs;
      if (wasBusy || log.overlaps(session, minuteMs, minuteMs + USUAL_MS, TAIL_MS)) continue;
      problems.add('a missing minute', `${session} ${id}: ${new Date(minuteMs).toISOString()}`);
    }
  }
  return missed;
}
