import { isZone } from '../../protocol/zones.js';
import { claimKey } from '../claims.js';
import { parseCron } from '../schedule/cron.js';
import { lastOccurrences, latestOccurrence, nextOccurrence } from '../schedule/occurrences.js';
/** Of a series that catches up on all that it missed; the latest of them. */
export const MOST_CAUGHT_UP = 24;
/** A series that skips what it missed still runs an occurrence that is no later than this. */
export const LATE_MS = 5 * 60_000;
function isLive(message) {
    return message.recurrence !== null;
}
/** The turns that acks and claims speak of. */
export function turnsOf(facts, memory, nowMs) {
    return facts.acked.map((acked) => {
        const seenMs = memory.begun.get(claimKey(acked))?.atMs ?? nowMs;
        return { message: acked.message, begunMs: Math.min(acked.ack.statusChangedMs ?? nowMs, seenMs, nowMs) };
    });
}
/**
 * Hands the recurrence of every live row that ends on to its successor, in the change that ends it (F9, F10). A series
 * whose schedule cannot be read ends with one notice (F12).
 */
export function planRecurrence(actions, turns, policy, nowMs) {
    const byId = new Map(turns.map((turn) => [turn.message.id, turn]));
    return actions.flatMap((action) => {
        if (action.kind !== 'complete' && action.kind !== 'fail')
            return [action];
        const turn = byId.get(action.messageId);
        if (turn === undefined || !isLive(turn.message))
            return [action];
        return recurring(action, turn.message, turn.begunMs, policy, nowMs);
    });
}
function recurring(ending, message, begunMs, policy, nowMs) {
    const schedule = scheduleOf(message, policy);
    if (typeof schedule === 'string')
        return [handOn(ending, message, []), unreadable(message, schedule, null)];
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
function handOn(ending, message, successors) {
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
function expectedSchedule({ recurrence, timezone }) {
    return { recurrence, timezone };
}
function successor(message, occurrenceMs, live) {
    return { id: occurrenceId(seriesOf(message), occurrenceMs), occurrenceMs, live };
}
/** What is run before the live row goes on. */
function caughtUpOn(message, schedule, nowMs) {
    return message.missed === 'all' ? lastOccurrences(schedule, occurrenceOf(message), nowMs, MOST_CAUGHT_UP) : [];
}
/** When the live row after this one is due: `latest` stands for all that came since the turn began. */
function followerOf(message, schedule, begunMs, nowMs) {
    const atMs = occurrenceOf(message);
    const missedMs = message.missed === 'latest' ? latestOccurrence(schedule, Math.max(atMs, begunMs), nowMs) : undefined;
    return missedMs ?? nextOccurrence(schedule, Math.max(atMs, nowMs));
}
/**
 * Moves due occurrences whose turn was missed, as their series wants it: `latest` stands for all up to now with the
 * newest, `skip` waits for the next. Only where no container may be claiming them; `all` runs each.
 */
export function planMissed(facts, policy, nowMs) {
    return facts.dueSeries.filter(isLive).flatMap((message) => {
        const schedule = scheduleOf(message, policy);
        if (typeof schedule === 'string')
            return [unreadable(message, schedule, changeOf(message, { recurrence: null }))];
        const advance = advanced(message, schedule, nowMs);
        return advance === undefined ? [] : [advance];
    });
}
function advanced(message, schedule, nowMs) {
    const atMs = occurrenceOf(message);
    const move = (reason, toMs) => toMs === undefined
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
function changeOf(message, set) {
    return {
        id: message.id,
        expect: { attempt: message.attempt, tries: message.tries, schedule: expectedSchedule(message) },
        set,
    };
}
function unreadable(message, why, change) {
    return retired(message, 'bad_schedule', `"${message.recurrence}": ${why}`, change);
}
function retired(message, reason, detail, change) {
    return { kind: 'retire', reason, messageId: message.id, seriesId: seriesOf(message), detail, change };
}
/** What a row's schedule is; a text says why it is none. */
export function scheduleOf(row, policy) {
    const parsed = parseCron(row.recurrence ?? '');
    if (parsed.kind === 'bad')
        return parsed.why;
    const zone = row.timezone ?? policy.timezone;
    return isZone(zone) ? { cron: parsed.cron, zone } : `there is no time zone "${zone}"`;
}
/** Rows of older files may have none of their own. */
function seriesOf(message) {
    return message.seriesId ?? message.id;
}
function occurrenceOf(message) {
    return message.occurrenceMs ?? message.processAfterMs ?? message.timestampMs;
}
/** No id that can be sent holds an `@`: it never meets a message that somebody puts in. */
export function occurrenceId(series, occurrenceMs) {
    const compact = new Date(occurrenceMs).toISOString().replace(/[-:]|\.\d+/g, '');
    return `${series}@${compact}`;
}
//# sourceMappingURL=recur.js.map