import type { MessageId } from '../protocol/address.js';
import type { AckRow, ContainerStateRow, MessageRow } from '../protocol/rows.js';
import type { RunnerNotes } from '../protocol/runner-notes.js';

/** What is free to be claimed: pending, `trigger` 1, and without an ack of its present attempt. */
export interface DueSummary {
  readonly dueCount: number;
  /** When the message that has been due longest became due; null when none is due. */
  readonly oldestDueAtMs: number | null;
  /** When the next one becomes due; null when none waits. */
  readonly nextDueAtMs: number | null;
}

export interface MessageCounts {
  readonly pending: number;
  /** Pending ones that a container has claimed; not counted as pending. */
  readonly processing: number;
  readonly completed: number;
  readonly failed: number;
  readonly paused: number;
}

export interface AckedMessage {
  readonly message: MessageRow;
  readonly ack: AckRow;
  /** Whether messages_out has an answer to it (`in_reply_to`). */
  readonly answered: boolean;
}

/** What an operator asked for: a dead letter is to be tried again. */
export interface ReplayRequest {
  readonly id: MessageId;
  /** The attempt whose end the request speaks of. */
  readonly attempt: number;
}

/** A requested replay, with what the files say of its message. */
export interface ReplayFacts extends ReplayRequest {
  /** Its row while that is `failed`; null: it is not, or there is none. */
  readonly message: MessageRow | null;
  /** Its ack row of whatever attempt. */
  readonly ack: AckRow | null;
}

/** What a look at a session's files found. */
export interface FilesFacts {
  /** Unfinished messages that have an ack row of whatever attempt, by seq. */
  readonly acked: readonly AckedMessage[];
  /** `processing` rows without an unfinished message; deleted in a settle, never counted. */
  readonly strayClaims: readonly AckRow[];
  /** Unfinished messages that carry a `settledClaim` and have no `processing` row any more: marks left to clear. */
  readonly marksToClear: readonly MessageId[];
  /** Live rows of series that are due, not claimed and never tried: their turn may have been missed. By seq. */
  readonly dueSeries: readonly MessageRow[];
  /** The replays that the look was asked about. */
  readonly replays: readonly ReplayFacts[];
  /** Series that go on, paused ones included. */
  readonly liveSeries: number;
  readonly due: DueSummary;
  readonly counts: MessageCounts;
  /** mtime in epoch milliseconds; null when there is none or it is not a regular file. */
  readonly heartbeatMtimeMs: number | null;
  readonly containerState: ContainerStateRow | null;
  /** Highest rowid of messages_out and its count: grows with every answer. */
  readonly answers: { readonly count: number; readonly mark: number };
  /** Newest ack row of any status by `status_changed`; null when there is none. */
  readonly newestAck: { readonly statusChanged: string; readonly incarnation: number | null } | null;
  readonly notes: RunnerNotes;
  /** Newest of message, ack, answer and heartbeat; null when the session has none of them. */
  readonly lastActiveMs: number | null;
}
