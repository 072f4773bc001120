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
    if (turn === undefined || turn.message.recurrence === null) return [action];
    return recurring(action, turn, policy, nowMs);
  });
}

function recurring(ending: Ending, { message, begunMs }: Turn, policy: Policy, nowMs: number): Action[] {
  const schedule = scheduleOf(message, policy);
  const series = seriesOf(message);
  if (typeof schedule === 'string') {
    const detail = `"${message.recurrence ?? ''}": ${schedule}`;
    return [handOn(ending, message, []), retired(message, 'bad_schedule', detail, null)];
  }
  const successors = successorsOf(message, schedule, begunMs, nowMs);
  const live = successors.at(-1);
  if (live === undefined) {
    return [handOn(ending, message, []), retired(message, 'no_more', 'its schedule has no next time', null)];
  }
  return [
    handOn(ending, message, successors),
    {
      kind: 'recur',
      reason: 'ended',
      messageId: message.id,
      seriesId: series,
      dueAtMs: live.occurrenceMs,
      missed: successors.length - 1,
    },
  ];
}

function handOn(ending: Ending, message: MessageRow, successors: readonly Successor[]): Ending {
  const { change } = ending;
  return {
    ...ending,
    change: {
      ...change,
      expect: { ...change.expect, ...expectSchedule(message) },
      set: { ...change.set, recurrence: null },
      successors,
    },
  };
}

function expectSchedule(message: MessageRow): Pick<MessageChange['expect'], 'schedule'> {
  if (message.recurrence === null) return {};
  return { schedule: { recurrence: message.recurrence, timezone: message.timezone } };
}

/** The live one last; before it what is to be caught up on. */
function successorsOf(message: MessageRow, schedule: Schedule, begunMs: number, nowMs: number): readonly Successor[] {
  const atMs = occurrenceOf(message);
  const successor = (occurrenceMs: number, live: boolean): Successor => ({
    id: occurrenceId(seriesOf(message), occurrenceMs),
    occurrenceMs,
    live,
  });
  const latestMs = message.missed === 'latest' ? latestOccurrence(schedule, Math.max(atMs, begunMs), nowMs) : undefined;
  const nextMs = latestMs ?? nextOccurrence(schedule, Math.max(atMs, nowMs));
  const missed = message.missed === 'all' ? lastOccurrences(schedule, atMs, nowMs, MOST_CAUGHT_UP) : [];
  return [
    ...missed.map((occurrenceMs) => successor(occurrenceMs, false)),
    ...(nextMs === undefined ? [] : [successor(nextMs, true)]),
  ];
}

/**
 * Moves due occurrences whose turn was missed, as their series wants it: `latest` stands for all up to now with the
 * newest, `skip` waits for the next. Only where no container may be claiming them; `all` runs each.
 */
export function planMissed(facts: FilesFacts, policy: Policy, nowMs: number): readonly (Advance | Retire)[] {
  return facts.dueSeries.flatMap((message): readonly (Advance | Retire)[] => {
    const schedule = scheduleOf(message, policy);
    if (typeof schedule === 'string') {
      const change = changeOf(message, { recurrence: null });
      return [retired(message, 'bad_schedule', `"${message.recurrence ?? ''}": ${schedule}`, change)];
    }
    const advance = advanced(message, schedule, nowMs);
    return advance === undefined ? [] : [advance];
  });
}

function advanced(message: MessageRow, schedule: Schedule, nowMs: number): Advance | undefined {
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

function changeOf(message: MessageRow, set: MessageChange['set']): MessageChange {
  return {
    id: message.id,
    expect: { attempt: message.attempt, tries: message.tries, ...expectSchedule(message) },
    set,
  };
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
