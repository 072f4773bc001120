import type { MessageId } from '../protocol/address.js';
import type { ErrorClass, MessageChange } from '../protocol/rows.js';
import type { HoldReason, StopReason } from './reasons.js';

/** A `processing` row exactly as it was seen. */
export interface ClaimRef {
  readonly messageId: MessageId;
  readonly statusChanged: string;
  readonly attempt: number | null;
}

/** `ack`: the container said so; `settle`: it is gone and left a claim; `operator`: someone asked for it. */
export type DecidedBy = 'ack' | 'settle' | 'operator';

/** One thing to do, and why. In the order in which they are to be done. */
export type Action =
  | {
      readonly kind: 'complete';
      readonly reason: 'acked' | 'answered';
      readonly by: DecidedBy;
      readonly messageId: MessageId;
      readonly change: MessageChange;
      readonly claim: ClaimRef | null;
    }
  | {
      readonly kind: 'fail';
      readonly reason: ErrorClass | 'unclassed' | 'tries_spent' | 'deferrals_spent' | 'stale_active';
      readonly by: DecidedBy;
      readonly messageId: MessageId;
      readonly change: MessageChange;
      readonly claim: ClaimRef | null;
    }
  /** All other one-shot messages of the session that are unfinished end with it, claimed or not. */
  | { readonly kind: 'fail_rest'; readonly reason: 'terminated'; readonly error: string }
  | {
      readonly kind: 'retry';
      readonly reason: 'acked_retryable' | 'unfinished_turn' | 'host_ended_turn';
      readonly by: DecidedBy;
      readonly messageId: MessageId;
      readonly dueAtMs: number;
      readonly change: MessageChange;
      readonly claim: ClaimRef | null;
      /** A foreign runner's ended ack row goes first, with no container running. */
      readonly dropAck: boolean;
    }
  | {
      readonly kind: 'defer';
      readonly reason: 'rate_limited';
      readonly by: DecidedBy;
      readonly messageId: MessageId;
      readonly dueAtMs: number;
      readonly change: MessageChange;
      readonly claim: null;
      readonly dropAck: boolean;
    }
  /** A dead letter becomes a new attempt, as if it had never been tried. */
  | {
      readonly kind: 'replay';
      readonly reason: 'requested';
      readonly by: 'operator';
      readonly messageId: MessageId;
      readonly dueAtMs: number;
      readonly change: MessageChange;
      readonly claim: null;
      readonly dropAck: boolean;
    }
  /** A replay that was asked for has nothing to do (any more). */
  | {
      readonly kind: 'drop_replay';
      readonly reason: 'not_dead' | 'newer_attempt';
      readonly messageId: MessageId;
      readonly attempt: number;
    }
  /** Not a change of its own: the ending before it puts the next occurrence in. `missed`: how many are caught up on. */
  | {
      readonly kind: 'recur';
      readonly reason: 'ended';
      readonly messageId: MessageId;
      readonly seriesId: string;
      readonly dueAtMs: number;
      readonly missed: number;
    }
  /** An occurrence whose time has gone by moves to a later one. */
  | {
      readonly kind: 'advance';
      readonly reason: 'missed_latest' | 'missed_skipped';
      readonly messageId: MessageId;
      readonly seriesId: string;
      readonly dueAtMs: number;
      readonly change: MessageChange;
    }
  /** A series ends for good. `change` null: the ending before it does it. */
  | {
      readonly kind: 'retire';
      readonly reason: 'bad_schedule' | 'no_more';
      readonly messageId: MessageId;
      readonly seriesId: string;
      readonly detail: string;
      readonly change: MessageChange | null;
    }
  /** Deletes a claim's row without counting it. */
  | {
      readonly kind: 'forget';
      readonly reason: 'already_counted' | 'older_attempt' | 'no_such_message' | 'before_replay';
      readonly claim: ClaimRef;
    }
  /** Clears the mark of a counted claim whose row is gone. */
  | { readonly kind: 'clear'; readonly reason: 'claim_row_gone'; readonly messageId: MessageId }
  | { readonly kind: 'stop'; readonly reason: StopReason; readonly detail: string }
  | { readonly kind: 'quarantine'; readonly reason: 'hostile'; readonly file: string; readonly detail: string }
  | {
      readonly kind: 'replace_file';
      readonly reason: 'corrupt';
      readonly file: 'inbound.db' | 'outbound.db';
      readonly detail: string;
    }
  | { readonly kind: 'hold'; readonly reason: HoldReason }
  | { readonly kind: 'wake'; readonly reason: 'due' | 'probe'; readonly dueSinceMs: number }
  /** Not a change: why what is due is not woken, and when to look again (null: something else will hint). */
  | {
      readonly kind: 'wait';
      readonly reason:
        | 'restart_backoff'
        | 'held'
        | 'suspended'
        | 'closed'
        | 'quarantined'
        | 'blocked'
        | 'draining'
        | 'runtime_unknown'
        | 'in_flight'
        /** Its provider limits us. */
        | 'provider_limited'
        /** Another session asks its provider first. */
        | 'provider_untried'
        /** It, or its group, has used what it may. */
        | 'budget_spent'
        | 'files_busy'
        | 'staleness_waits'
        /** What has to be done needs the container gone, and it still holds a claim. */
        | 'turn_running';
      readonly untilMs: number | null;
      readonly detail: string;
    };

/** Kinds of action that change something; the rest only explains. */
export function isChange(action: Action): boolean {
  return action.kind !== 'wait';
}
