import type { MessageId } from '../../protocol/address.js';
import type { MessageChange, MessageRow, Successor } from '../../protocol/rows.js';
import { isZone } from '../../protocol/zones.js';
import type { Action } from '../action.js';
import { claimKey } from '../claims.js';
import type { FilesFacts } from '../facts.js';
import type { RunningMemory } from '../memory.js';
import type { Policy } from '../policy.js';
import { parseCron } from '../schedule/cron.js';
import { lastOccurrences, latestOccurrence, nextOccurrence } from '../schedule/occurrences.js';
import type { Schedule } from '../schedule/occurrences.js';

/** Of a series that catches up on all that it missed; the latest of them. */
export const MOST_CAUGHT_UP = 24;
/** A series that skips what it missed still runs an occurrence that is no later than this. */
export const LATE_MS = 5 * 60_000;

type Ending = Extract<Action, { readonly kind: 'complete' | 'fail' }>;
type Advance = Extract<Action, { readonly kind: 'advance' }>;
type Retire = Extract<Action, { readonly kind: 'retire' }>;

/** A row that keeps its series going. */
type LiveRow = MessageRow & { readonly recurrence: string };

function isLive(message: MessageRow): message is LiveRow {
  return message.recurrence !== null;
}

/** A row whose turn may have ended. */
export interface Turn {
  readonly message: MessageRow;
  /** When it began, as far as the host knows: `latest` takes it to stand for the occurrences up to then. */
  readonly begunMs: number;
}

/** The turns that acks and claims speak of. */
export function turnsOf(facts: FilesFacts, memory: RunningMemory, nowMs: number): readonly Turn[] {
  return facts.acked.map((acked) => {
    const seenMs = memory.begun.get(claimKey(acked))?.atMs ?? nowMs;
    return { message: acked.message, begunMs: Math.min(acked.ack.statusChangedMs ?? nowMs, seenMs, nowMs) };
  });
}

/**
 * Hands the recurrence of every live row that ends on to its successor, in the change that ends it (F9, F10). A series
 * whose schedule cannot be read ends with one notice (F12).
 */
export function planRecurrence(
  actions: readonly Action[],
  turns: readonly Turn[],
  policy: Policy,
  nowMs: number,
): Action[] {
  const byId = new Map(turns.map((turn) => [turn.message.id, turn]));
  return actions.flatMap((action): Action[] => {
    if (action.kind !== 'complete' && action.kind !== 'fail') return [action];
    const turn = byId.get(action.messageId);
    if (turn === undefined || !isLive(turn.message)) return [action];
    return recurring(action, turn.message, turn.begunMs, policy, nowMs);
  });
}

function recurring(ending: Ending, message: LiveRow, begunMs: number, policy: Policy, nowMs: number): Action[] {
  const schedule = scheduleOf(message, policy);
  if (typeof schedule === 'string') return [handOn(ending, message, []), unreadable(message, schedule, null)];
  const missed = caughtUpOn(message, schedule, nowMs).map((atMs) => successor(message, atMs, false));
  const nextMs = followerOf(message, schedule, begunMs, nowMs);
  if (nextMs === undefined) {
    return [handOn(ending, message, missed), retired(message, 'no_more', 'its schedule has no next time', null)];
  }
  return [
    handOn(ending, message, [...missed, successor(message, nextMs, true)]),
    {
      kind: 'recur',
      reason: 'ended',
      messageId: message.id,
      seriesId: seriesOf(message),
      dueAtMs: nextMs,
      missed: missed.length,
    },
  ];
}

function handOn(ending: Ending, message: LiveRow, successors: readonly Successor[]): Ending {
  const { change } = ending;
  return {
    ...ending,
    change: {
      ...change,
      expect: { ...change.expect, schedule: expectedSchedule(message) },
      set: { ...change.set, recurrence: null },
      successors,
    },
  };
}

function expectedSchedule({ recurrence, timezone }: LiveRow): NonNullable<MessageChange['expect']['schedule']> {
  return { recurrence, timezone };
}

function successor(message: MessageRow, occurrenceMs: number, live: boolean): Successor {
  return { id: occurrenceId(seriesOf(message), occurrenceMs), occurrenceMs, live };
}

/** What is run before the live row goes on. */
function caughtUpOn(message: MessageRow, schedule: Schedule, nowMs: number): readonly number[] {
  return message.missed === 'all' ? lastOccurrences(schedule, occurrenceOf(message), nowMs, MOST_CAUGHT_UP) : [];
}

/** When the live row after this one is due: `latest` stands for all that came since the turn began. */
function followerOf(message: MessageRow, schedule: Schedule, begunMs: number, nowMs: number): number | undefined {
  const atMs = occurrenceOf(message);
  const missedMs = message.missed === 'latest' ? latestOccurrence(schedule, Math.max(atMs, begunMs), nowMs) : undefined;
  return missedMs ?? nextOccurrence(schedule, Math.max(atMs, nowMs));
}

/**
 * Moves due occurrences whose turn was missed, as their series wants it: `latest` stands for all up to now with the
 * newest, `skip` waits for the next. Only where no container may be claiming them; `all` runs each.
 */
export function planMissed(facts: FilesFacts, policy: Policy, nowMs: number): readonly (Advance | Retire)[] {
  return facts.dueSeries.filter(isLive).flatMap((message): readonly (Advance | Retire)[] => {
    const schedule = scheduleOf(message, policy);
    if (typeof schedule === 'string') return [unreadable(message, schedule, changeOf(message, { recurrence: null }))];
    const advance = advanced(message, schedule, nowMs);
    return advance === undefined ? [] : [advance];
  });
}

function advanced(message: LiveRow, schedule: Schedule, nowMs: number): Advance | undefined {
  const atMs = occurrenceOf(message);
  const move = (reason: Advance['reason'], toMs: number | undefined): Advance | undefined =>
    toMs === undefined
      ? undefined
      : {
          kind: 'advance',
          reason,
          messageId: message.id,
          seriesId: seriesOf(message),
          dueAtMs: toMs,
          change: changeOf(message, { occurrenceMs: toMs, processAfterMs: toMs }),
        };
  switch (message.missed) {
    case 'latest':
      return move('missed_latest', latestOccurrence(schedule, atMs, nowMs));
    case 'skip':
      return nowMs - atMs > LATE_MS ? move('missed_skipped', nextOccurrence(schedule, nowMs)) : undefined;
    case 'all':
      return undefined;
  }
}

function changeOf(message: LiveRow, set: MessageChange['set']): MessageChange {
  return {
    id: message.id,
    expect: { attempt: message.attempt, tries: message.tries, schedule: expectedSchedule(message) },
    set,
  };
}

function unreadable(message: LiveRow, why: string, change: MessageChange | null): Retire {
  return retired(message, 'bad_schedule', `"${message.recurrence}": ${why}`, change);
}

function retired(message: MessageRow, reason: Retire['reason'], detail: string, change: MessageChange | null): Retire {
  return { kind: 'retire', reason, messageId: message.id, seriesId: seriesOf(message), detail, change };
}

/** What a row's schedule is; a text says why it is none. */
export function scheduleOf(
  row: { readonly recurrence: string | null; readonly timezone: string | null },
  policy: Pick<Policy, 'timezone'>,
): Schedule | string {
  const parsed = parseCron(row.recurrence ?? '');
  if (parsed.kind === 'bad') return parsed.why;
  const zone = row.timezone ?? policy.timezone;
  return isZone(zone) ? { cron: parsed.cron, zone } : `there is no time zone "${zone}"`;
}

/** Rows of older files may have none of their own. */
function seriesOf(message: MessageRow): string {
  return message.seriesId ?? message.id;
}

function occurrenceOf(message: MessageRow): number {
  return message.occurrenceMs ?? message.processAfterMs ?? message.timestampMs;
}

/** No id that can be sent holds an `@`: it never meets a message that somebody puts in. */
export function occurrenceId(series: string, occurrenceMs: number): MessageId {
  const compact = new Date(occurrenceMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${series}@${compact}` as MessageId;
}
