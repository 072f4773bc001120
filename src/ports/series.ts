import type { MessageId } from '../protocol/address.js';
import type { MissedPolicy } from '../protocol/rows.js';

/** The live row of a series: the occurrence that is pending or paused and carries the recurrence. */
export interface SeriesRow {
  readonly series: string;
  readonly id: MessageId;
  readonly kind: string;
  readonly recurrence: string;
  readonly timezone: string | null;
  readonly missed: MissedPolicy;
  readonly occurrenceMs: number | null;
  /** When it may be claimed. */
  readonly dueAtMs: number | null;
  readonly paused: boolean;
  readonly tries: number;
  /** JSON text as found. */
  readonly content: string;
  /** The occurrence that ended last; null: none has. */
  readonly last: { readonly status: string; readonly finishedAtMs: number | null } | null;
}

/** One firing of a series, ended or not. */
export interface OccurrenceRow {
  readonly id: MessageId;
  readonly status: string;
  /** The scheduled instant; null: run by hand, or found without one. */
  readonly occurrenceMs: number | null;
  readonly finishedAtMs: number | null;
  readonly tries: number;
  readonly errorClass: string | null;
  readonly error: string | null;
  readonly live: boolean;
}

/** A change to a series, made only if its live row is still the one that it was planned from. */
export interface SeriesChange {
  readonly series: string;
  readonly expect: { readonly id: MessageId; readonly recurrence: string; readonly timezone: string | null };
  readonly nowMs: number;
  readonly edit: SeriesEdit;
}

export type SeriesEdit =
  | { readonly kind: 'pause' }
  /** `nextMs`: when it goes on; left as it is where a container has claimed it. */
  | { readonly kind: 'resume'; readonly nextMs: number }
  | {
      readonly kind: 'set';
      readonly recurrence: string;
      readonly timezone: string | null;
      readonly missed: MissedPolicy;
      /** null: as it is. */
      readonly content: string | null;
      readonly nextMs: number;
    }
  /** The occurrence that is under way is finished, what waits is not run any more. */
  | { readonly kind: 'cancel' }
  /** One more, now, beside the schedule. */
  | { readonly kind: 'run_now'; readonly id: MessageId };

/** `claimed`: its occurrence is under way. `stale`: the live row is another one by now, or gone; nothing was written. */
export type SeriesWritten =
  { readonly written: true; readonly claimed: boolean } | { readonly written: false; readonly why: 'stale' };
