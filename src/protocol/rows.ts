import type { MessageId } from './address.js';

export const MESSAGE_STATUSES = ['pending', 'completed', 'failed', 'paused'] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];
export type AckStatus = 'processing' | 'completed' | 'failed';

export const ERROR_CLASSES = [
  ...(['retryable', 'fatal', 'rate_limited', 'context_overflow', 'resume_invalid'] as const),
  /** The provider has ended the session for good, and no other one stands in: nothing of it will ever be answered. */
  'terminated',
] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** What a series does about occurrences that were missed: one for all of them, none, or each (at most 24). */
export const MISSED_POLICIES = ['latest', 'skip', 'all'] as const;
export type MissedPolicy = (typeof MISSED_POLICIES)[number];

export function isErrorClass(text: string): text is ErrorClass {
  return (ERROR_CLASSES as readonly string[]).includes(text);
}

/** A row of `messages_in`, without its content; an unfinished one unless said otherwise. */
export interface MessageRow {
  readonly id: MessageId;
  readonly seq: number;
  readonly status: MessageStatus;
  readonly trigger: boolean;
  readonly timestampMs: number;
  /** null: due as soon as it is pending. */
  readonly processAfterMs: number | null;
  /** Turns that did not end, 0 to MAX_TRIES. */
  readonly tries: number;
  /** Raised by whatever re-arms the message; acks belong to one attempt. */
  readonly attempt: number;
  /** `epoch:attempt:status_changed` of the claim that was counted last; null once its row is deleted. */
  readonly settledClaim: string | null;
  /** Times it was put off for a rate limit. */
  readonly deferrals: number;
  /** The cron expression of a series, on its live row alone. */
  readonly recurrence: string | null;
  readonly seriesId: string | null;
  /** Zone of the cron expression; null: the install's. */
  readonly timezone: string | null;
  readonly missed: MissedPolicy;
  /** The scheduled instant of this occurrence; null where it has none. */
  readonly occurrenceMs: number | null;
}

/** A row of `processing_ack`, as far as it can be trusted: texts cut, numbers checked. */
export interface AckRow {
  readonly messageId: MessageId;
  readonly status: AckStatus;
  /** The text as found: part of the claim's identity. */
  readonly statusChanged: string;
  /** undefined when the text is no time. */
  readonly statusChangedMs: number | undefined;
  /** null: written by a runner that knows no attempts. */
  readonly attempt: number | null;
  readonly incarnation: number | null;
  readonly error: string | null;
  /** null: none given, or none that is known. */
  readonly errorClass: ErrorClass | null;
  readonly retryAtMs: number | null;
}

/** The row of `container_state`. */
export interface ContainerStateRow {
  readonly currentTool: string | null;
  readonly toolDeclaredTimeoutMs: number | null;
  readonly toolStartedAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly incarnation: number | null;
  readonly heartbeatIntervalMs: number | null;
  readonly progressAtMs: number | null;
}

/** A change to one row of `messages_in`, an unfinished one unless `expect` says so; refused as a whole if it is not as expected. */
export interface MessageChange {
  readonly id: MessageId;
  readonly expect: {
    readonly attempt: number;
    readonly tries: number;
    /** A dead letter; else pending or paused. */
    readonly status?: 'failed';
    /** Where the change was planned from the schedule: what that was. */
    readonly schedule?: { readonly recurrence: string; readonly timezone: string | null };
  };
  readonly set: {
    readonly status?: MessageStatus;
    readonly tries?: number;
    readonly attempt?: number;
    readonly processAfterMs?: number | null;
    readonly deferrals?: number;
    readonly settledClaim?: string | null;
    readonly error?: string | null;
    readonly errorClass?: string | null;
    readonly finishedAtMs?: number | null;
    /** It is a dead letter no more, hidden or not. */
    readonly purgedAtMs?: null;
    /** Its series goes on without it, or not at all. */
    readonly recurrence?: null;
    readonly occurrenceMs?: number;
  };
  /** Rows made from this one in the same transaction; paused where this one is. */
  readonly successors?: readonly Successor[];
}

/** A further occurrence of a series. */
export interface Successor {
  readonly id: MessageId;
  readonly occurrenceMs: number;
  /** It takes over the recurrence; else it is one-shot. */
  readonly live: boolean;
}

/** Whether an ack speaks of the message's present attempt; one without an attempt always does. */
export function isAckOfAttempt(
  message: { readonly attempt: number },
  ack: { readonly attempt: number | null },
): boolean {
  return ack.attempt === null || ack.attempt === message.attempt;
}
