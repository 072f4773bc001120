import { isAckOfAttempt } from '../protocol/rows.js';
import type { AckRow } from '../protocol/rows.js';
import { isAtOrAfter } from '../protocol/times.js';
import type { ClaimRef } from './action.js';
import type { AckedMessage, FilesFacts } from './facts.js';

/** One run of a container, as far as claims need to know it. */
export interface Incarnation {
  readonly epoch: number;
  readonly startedAtMs: number;
}

export function isClaim({ message, ack }: AckedMessage): boolean {
  return ack.status === 'processing' && isAckOfAttempt(message, ack);
}

/** The row exactly as it was seen, so that nothing newer is deleted in its place. */
export function claimRef(ack: AckRow): ClaimRef {
  return { messageId: ack.messageId, statusChanged: ack.statusChanged, attempt: ack.attempt };
}

/** What names a claim within its incarnation; a runner that refreshes the row's time keeps its claim's age. */
export function claimKey({ message, ack }: AckedMessage): string {
  return `${message.id} ${ack.attempt ?? message.attempt}`;
}

/**
 * `settled_claim` of a claim that is counted. `attempt` is the claim's own, null where the runner knows none: the
 * message's would not do, counting raises it.
 */
export function claimMark(epoch: number, attempt: number | null, statusChanged: string): string {
  return `${epoch}:${attempt ?? '-'}:${statusChanged}`;
}

/** Whether a mark is of this claim in whatever incarnation. */
export function isMarkOfRow(mark: string, ack: AckRow): boolean {
  return mark.slice(mark.indexOf(':')) === claimMark(0, ack.attempt, ack.statusChanged).slice(1);
}

/**
 * The claims that a running incarnation holds; what older ones left behind says nothing about it. Nothing is started
 * before those are counted, so that one without an incarnation is its own unless it is the row that was counted: its
 * time alone would not tell, as clocks are set back.
 */
export function heldClaims(facts: FilesFacts, running: Incarnation): readonly AckedMessage[] {
  return facts.acked.filter((acked) => isClaim(acked) && isOfIncarnation(acked, running));
}

function isOfIncarnation({ message, ack }: AckedMessage, running: Incarnation): boolean {
  if (ack.incarnation !== null) return ack.incarnation >= running.epoch;
  const isCounted = message.settledClaim !== null && isMarkOfRow(message.settledClaim, ack);
  return !isCounted || isAtOrAfter(ack.statusChanged, running.startedAtMs);
}
