import type { DueSummary, FilesFacts, MessageCounts } from '../../core/facts.js';
import { isAckOfAttempt, type AckRow, type MessageRow } from '../../protocol/rows.js';
import type { OutboundFacts, StoredAck } from './acks.js';
import type { FinishedCounts } from './messages.js';

export interface InboundFacts {
  readonly unfinished: readonly MessageRow[];
  readonly finished: FinishedCounts;
  readonly newestMs: number | null;
}

/** What is free to be claimed. A message without `process_after` is due as of its timestamp, the future being now. */
export function summarizeDue(
  unfinished: readonly MessageRow[],
  acks: ReadonlyMap<string, AckRow>,
  nowMs: number,
): DueSummary {
  let dueCount = 0;
  let oldestDueAtMs: number | null = null;
  let nextDueAtMs: number | null = null;
  for (const message of unfinished) {
    if (message.status !== 'pending' || !message.trigger) continue;
    const ack = acks.get(message.id);
    if (ack !== undefined && isAckOfAttempt(message, ack)) continue;
    const atMs = message.processAfterMs ?? Math.min(message.timestampMs, nowMs);
    if (atMs <= nowMs) {
      dueCount += 1;
      oldestDueAtMs = Math.min(oldestDueAtMs ?? atMs, atMs);
    } else {
      nextDueAtMs = Math.min(nextDueAtMs ?? atMs, atMs);
    }
  }
  return { dueCount, oldestDueAtMs, nextDueAtMs };
}

function isDueSeries(message: MessageRow, acks: ReadonlyMap<string, AckRow>, nowMs: number): boolean {
  if (message.recurrence === null || message.status !== 'pending') return false;
  // Tried, deferred or given back by the host: its turn has come, and only waits to be had again.
  if (message.tries > 0 || message.attempt > 0) return false;
  const ack = acks.get(message.id);
  return !(ack !== undefined && isAckOfAttempt(message, ack)) && (message.processAfterMs ?? nowMs) <= nowMs;
}

export function countSeries(unfinished: readonly MessageRow[]): number {
  return unfinished.filter(({ recurrence }) => recurrence !== null).length;
}

/** How many messages are in which state; claimed ones are `processing`, not `pending`. */
export function countStates(
  finished: FinishedCounts,
  unfinished: readonly MessageRow[],
  acks: ReadonlyMap<string, AckRow>,
): MessageCounts {
  const pending = unfinished.filter((message) => message.status === 'pending');
  const processing = pending.filter((message) => {
    const ack = acks.get(message.id);
    return ack?.status === 'processing' && isAckOfAttempt(message, ack);
  }).length;
  return {
    pending: pending.length - processing,
    processing,
    completed: finished.completed,
    failed: finished.failed,
    paused: unfinished.length - pending.length,
  };
}

/** Brings what both files and the heartbeat say together. */
export function factsOf(
  inbound: InboundFacts,
  outbound: OutboundFacts,
  heartbeatMtimeMs: number | null,
  nowMs: number,
): FilesFacts {
  const { unfinished } = inbound;
  return {
    acked: unfinished.flatMap((message) => {
      const ack = outbound.acks.get(message.id);
      return ack === undefined ? [] : [{ message, ack: ackRowOf(ack), answered: outbound.answered.has(message.id) }];
    }),
    strayClaims: outbound.strayClaims.map(ackRowOf),
    marksToClear: unfinished
      .filter(({ id, settledClaim }) => settledClaim !== null && outbound.acks.get(id)?.status !== 'processing')
      .map((message) => message.id),
    dueSeries: unfinished.filter((message) => isDueSeries(message, outbound.acks, nowMs)),
    replays: [],
    liveSeries: countSeries(unfinished),
    due: summarizeDue(unfinished, outbound.acks, nowMs),
    counts: countStates(inbound.finished, unfinished, outbound.acks),
    heartbeatMtimeMs,
    containerState: outbound.containerState,
    answers: { count: outbound.answers.count, mark: outbound.answers.mark },
    newestAck:
      outbound.newestAck === null
        ? null
        : { statusChanged: outbound.newestAck.statusChanged, incarnation: outbound.newestAck.incarnation },
    notes: outbound.notes,
    lastActiveMs: newestOf([
      inbound.newestMs,
      outbound.newestAck?.statusChangedMs ?? null,
      outbound.answers.newestMs,
      heartbeatMtimeMs,
    ]),
  };
}

export function ackRowOf(stored: StoredAck): AckRow {
  const { messageId, status, statusChanged, statusChangedMs, attempt, incarnation, error, errorClass, retryAtMs } =
    stored;
  return { messageId, status, statusChanged, statusChangedMs, attempt, incarnation, error, errorClass, retryAtMs };
}

function newestOf(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}
