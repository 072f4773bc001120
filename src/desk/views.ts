/** The JSON that people and scripts see (times are ISO 8601 with `Z`). Each is made in one place: see the verbs. */

export interface StatusView {
  readonly runtime: {
    /** null: not decided yet. */
    readonly kind: string | null;
    readonly state: 'up' | 'down' | 'unknown';
    readonly description: string;
  };
  readonly sessions: {
    readonly active: number;
    readonly suspended: number;
    readonly closed: number;
    readonly held: number;
    readonly quarantined: number;
    readonly total: number;
  };
  readonly messages: MessageTotalsView;
  readonly containers: { readonly running: number };
  /** Sessions with due work that wait for room. */
  readonly waiting: number;
  readonly draining: boolean;
  readonly lastSweep: LastSweepView | null;
  readonly notices: readonly NoticeView[];
  readonly daemon: { readonly running: boolean; readonly pid: number | null };
}

export interface MessageTotalsView {
  readonly spooled: number;
  readonly pending: number;
  readonly processing: number;
  readonly completed: number;
  readonly failed: number;
  readonly paused: number;
}

export interface LastSweepView {
  readonly startedAt: string;
  readonly durationMs: number;
  readonly swept: number;
  readonly skipped: number;
  readonly errors: number;
}

export interface NoticeView {
  readonly kind: string;
  readonly session: string | null;
  readonly text: string;
  readonly count: number;
  readonly since: string;
  readonly last: string;
}

export interface SentView {
  readonly session: string;
  readonly id: string;
  /** True: it was accepted before, with the same content. */
  readonly duplicate: boolean;
}

export interface BatchView {
  readonly accepted: number;
  readonly duplicates: number;
}

export interface RepliesPage {
  readonly rows: readonly ReplyView[];
  /** Where to go on. */
  readonly mark: number;
}

export interface ReplyView {
  readonly id: string;
  readonly inReplyTo: string | null;
  /** null: the agent wrote what is no time. */
  readonly timestamp: string | null;
  readonly kind: string;
  /** Parsed; `{"text": ...}` around what is not JSON. */
  readonly content: unknown;
  /** Only where the content was cut for its size. */
  readonly truncated?: true;
  /** Only where there are any. */
  readonly attachments?: readonly { readonly name: string; readonly bytes: number }[];
  /** Files that are not handed out, and why; only where there are any. */
  readonly refused?: readonly { readonly name: string; readonly why: string }[];
}

export interface AttachmentView {
  readonly bytes: number;
  /** Fails where the file is changed meanwhile. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface CreatedView {
  readonly session: string;
  readonly provider: string | null;
  readonly command: readonly string[] | null;
  readonly image: string | null;
}

export interface SessionSummaryView {
  readonly session: string;
  readonly status: 'active' | 'suspended' | 'closed';
  readonly pinned: boolean;
  readonly held: boolean;
  readonly quarantined: boolean;
  readonly lastActive: string | null;
}

export interface SessionView extends SessionSummaryView {
  /** null: the group's. */
  readonly provider: string | null;
  readonly command: readonly string[] | null;
  readonly image: string | null;
  readonly createdAt: string;
  readonly closedAt: string | null;
  readonly closeReason: string | null;
  readonly heldSince: string | null;
  readonly holdReason: string | null;
  readonly quarantine: { readonly file: string; readonly detail: string; readonly since: string } | null;
  readonly epoch: number;
  readonly nextDue: string | null;
  readonly messages: MessageTotalsView;
  readonly incarnations: readonly IncarnationView[];
}

export interface IncarnationView {
  readonly epoch: number;
  readonly startedAt: string | null;
  readonly stoppedAt: string | null;
  readonly stopReason: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly oomKilled: boolean;
  readonly turnsCompleted: number;
}

export interface ChangedView {
  readonly session: string;
  readonly status: 'active' | 'suspended' | 'closed' | 'deleted';
  readonly pinned: boolean;
  /** False: it was so already. */
  readonly changed: boolean;
}

export interface DeadLetterView {
  readonly session: string;
  readonly id: string;
  readonly tries: number;
  readonly errorClass: string | null;
  readonly error: string | null;
  readonly finishedAt: string | null;
}

export interface LogsView {
  readonly session: string;
  readonly running: boolean;
  /** null: no container was ever started for it. */
  readonly incarnation: IncarnationView | null;
  readonly output: string;
}

export interface SweepView {
  readonly dryRun: boolean;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly actions: readonly SweepActionView[];
  readonly counts: {
    readonly swept: number;
    readonly skipped: number;
    readonly errors: number;
    readonly actions: number;
  };
}

export interface SweepActionView {
  readonly session: string | null;
  readonly action: string;
  readonly reason: string;
  readonly [detail: string]: string | number | boolean | null;
}

export interface DrainView {
  readonly stopped: number;
  readonly interrupted: readonly string[];
}
