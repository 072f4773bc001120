import { parseInstant } from '../../protocol/times.js';
import { parseCron } from '../schedule/cron.js';
import type { Cron } from '../schedule/cron.js';
import type { ForeignAck, ForeignSeriesRow } from './foreign.js';

export type SeriesRole =
  /** It carries its series on. */
  | { readonly kind: 'live'; readonly recurrence: string; readonly cron: Cron }
  /** It has ended, and nothing had come after it yet: the next occurrence is made here. */
  | { readonly kind: 'successor'; readonly recurrence: string; readonly cron: Cron }
  /** Another row carries the series on. */
  | { readonly kind: 'one_shot' }
  | { readonly kind: 'left'; readonly why: string };

export interface SeriesPlan {
  /** What rows with a recurrence become, by id; one that is not named is history. */
  readonly roles: ReadonlyMap<string, SeriesRole>;
  /** Every series that has one. */
  readonly ids: ReadonlySet<string>;
}

export function planSeries(rows: readonly ForeignSeriesRow[]): SeriesPlan {
  const bySeries = new Map<string, ForeignSeriesRow[]>();
  for (const row of rows) {
    const series = row.seriesId ?? row.id;
    bySeries.set(series, [...(bySeries.get(series) ?? []), row]);
  }
  return { roles: new Map([...bySeries.values()].flatMap(rolesOf)), ids: new Set(bySeries.keys()) };
}

function rolesOf(rows: readonly ForeignSeriesRow[]): readonly (readonly [string, SeriesRole])[] {
  const inOrder = [...rows].sort((a, b) => dueMs(a) - dueMs(b));
  const live = inOrder.filter((row) => !isEnded(row));
  const newest = inOrder.at(-1);
  if (live.length === 0 && newest !== undefined) return [[newest.id, roleOf(newest, 'successor')]];
  const first = live.find((row) => roleOf(row, 'live').kind === 'live');
  return live.map((row) => {
    const role = roleOf(row, 'live');
    return [row.id, role.kind === 'live' && row !== first ? { kind: 'one_shot' } : role];
  });
}

function roleOf({ recurrence }: ForeignSeriesRow, kind: 'live' | 'successor'): SeriesRole {
  const parsed = parseCron(recurrence);
  if (parsed.kind === 'bad') return { kind: 'left', why: `its schedule is none here: ${parsed.why}` };
  return { kind, cron: parsed.cron, recurrence: recurrence.trim().split(/\s+/).join(' ') };
}

function dueMs({ processAfter }: ForeignSeriesRow): number {
  return (processAfter === null ? undefined : parseInstant(processAfter)) ?? 0;
}

export type Ending = 'completed' | 'failed';

/** How a row has ended, by itself or by an ack that its host had not seen yet; a claim is no end. */
export function endingOf(row: { readonly status: string | null; readonly ack: ForeignAck | null }): Ending | undefined {
  const acked = row.ack?.status;
  // What crashed before its turn; and older hosts called completed what their runner had called failed.
  if (row.status === 'failed' || acked === 'failed' || acked === 'script-skip:error') return 'failed';
  return row.status === 'completed' || acked === 'completed' ? 'completed' : undefined;
}

function isEnded(row: ForeignSeriesRow): boolean {
  return endingOf(row) !== undefined;
}

/** Keys of `session_state` whose values are sessions of a provider's: of a named one, or of whichever ran last. */
export function isResumeKey(key: string): boolean {
  return key === 'sdk_session_id' || key.startsWith('continuation:');
}
