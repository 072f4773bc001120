import type { Row } from './file-audit.js';
import type { SeriesTruth } from './truth.js';
import type { World } from './world.js';

const MINUTE_MS = 60_000;
/** Between the time that a plan was made at and its write. */
const PLAN_TO_WRITE_MS = 10_000;
/** An hourly time comes so much later where the clocks of Lord Howe Island or Berlin change. */
const CLOCK_CHANGE_MS = 61 * MINUTE_MS;
/** Of docs/schedules.md. */
const SKIP_LATE_MS = 5 * MINUTE_MS;
const MOST_MADE_UP = 24;

/** One live row, no occurrence twice, none at a time of its own, and what was missed as its policy says. */
export function auditSeries(world: World, series: SeriesTruth, rows: readonly Row[]): void {
  const own = rows.filter((row) => row.series_id === series.id);
  if (own.length === 0) return;
  auditLiveRow(world, series, own);
  const occurrences = own.flatMap(({ occurrence }) => (occurrence === null ? [] : [Date.parse(occurrence)]));
  if (new Set(occurrences).size !== occurrences.length) world.violate(`series ${series.id} fires an occurrence twice`);
  // The hours of Lord Howe Island begin at the half hour of the others.
  for (const atMs of occurrences) {
    const minute = atMs / MINUTE_MS;
    if (![...series.everyMinutes].some((every) => minute % Math.min(every, 30) === 0)) {
      world.violate(`series ${series.id} has an occurrence at ${textOf(atMs)}, which is none of its times`);
    }
  }
  auditMissed(world, series, occurrences);
}

function auditLiveRow(world: World, series: SeriesTruth, own: readonly Row[]): void {
  const live = own.filter(
    ({ recurrence, status }) => recurrence !== null && (status === 'pending' || status === 'paused'),
  );
  const [first] = live;
  if (live.length > 1) world.violate(`series ${series.id} has ${String(live.length)} live rows`);
  if (first === undefined && (series.state === 'goes_on' || series.state === 'paused')) {
    world.violate(`series ${series.id} has no live row`);
  }
  if (series.state === 'paused' && first !== undefined && first.status !== 'paused') {
    world.violate(`series ${series.id} was paused, its live row is ${first.status}`);
  }
}

/** What was added since the last look, of a series that nobody touched and while the clock can be relied on. */
function auditMissed(world: World, series: SeriesTruth, occurrences: readonly number[]): void {
  const known = [...series.seen];
  for (const atMs of occurrences) series.seen.add(atMs);
  const added = occurrences.filter((atMs) => !known.includes(atMs)).sort((a, b) => a - b);
  if (added.length === 0 || known.length === 0 || series.isTouched || world.isClockUnsteady) return;
  world.note('occurrence judged');
  const fault = faultOfPolicy(series, Math.max(...known), added, world.timeline.wallMs);
  if (fault === null) return;
  const list = added.map(textOf).join(' ');
  world.violate(`series ${series.id} (${series.policy}) has ${list} at ${textOf(world.timeline.wallMs)}: ${fault}`);
}

function faultOfPolicy(
  { policy, everyMinutes }: SeriesTruth,
  beforeMs: number,
  added: readonly number[],
  nowMs: number,
): string | null {
  const everyMs = Math.max(...everyMinutes) * MINUTE_MS;
  const longestMs = everyMs + PLAN_TO_WRITE_MS + (everyMs >= 60 * MINUTE_MS ? CLOCK_CHANGE_MS : 0);
  const [first = 0] = added;
  const lateMs = nowMs - first;
  const missed = Math.floor((nowMs - beforeMs) / everyMs);
  const isGap = [beforeMs, ...added].some((atMs, index, all) => atMs - (all[index - 1] ?? atMs) > longestMs);
  if (first < beforeMs) return 'an earlier one than the last';
  if (isGap && missed === 0) return 'one is left out that was not missed';
  switch (policy) {
    case 'latest':
      if (added.length > 1) return 'one stands for all';
      return lateMs > longestMs ? 'not the newest' : null;
    case 'skip':
      if (added.length > 1) return 'nothing is made up for';
      return lateMs > SKIP_LATE_MS + PLAN_TO_WRITE_MS ? 'what was missed is left out' : null;
    case 'all':
      if (isGap && missed < MOST_MADE_UP) return 'each is made up for';
      return added.length > MOST_MADE_UP + 1 ? `at most ${String(MOST_MADE_UP)} are made up for` : null;
  }
}

function textOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
