import type { SettingChange } from '../config/diff.js';

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
  /** Only where an earlier attempt at the same message gave this answer already, word for word. */
  readonly duplicate?: true;
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
  /** What providers know it by: the next turn goes on from there, unless it is too old by then. */
  readonly providerSessions: readonly {
    readonly provider: string;
    readonly id: string;
    /** null: an older format that does not say. */
    readonly lastUsedAt: string | null;
  }[];
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

export interface ScheduleView {
  readonly session: string;
  readonly series: string;
  readonly cron: string;
  readonly timezone: string;
  /** null: it is paused. */
  readonly next: string | null;
  readonly paused: boolean;
  /** How the occurrence that ended last ended; null: none has. */
  readonly lastStatus: string | null;
  readonly lastFinishedAt: string | null;
  readonly missed: string;
  readonly kind: string;
}

export interface ScheduleDetailView {
  readonly session: string;
  readonly series: string;
  /** null: it has ended. */
  readonly schedule: ScheduleView | null;
  /** The next ones. */
  readonly times: readonly string[];
  /** Newest first. */
  readonly occurrences: readonly OccurrenceView[];
}

export interface OccurrenceView {
  readonly id: string;
  readonly status: string;
  /** null: run by hand. */
  readonly occurrence: string | null;
  readonly finishedAt: string | null;
  /** From when it was due to when it ended, milliseconds. */
  readonly lateMs: number | null;
  readonly tries: number;
  readonly errorClass: string | null;
  readonly error: string | null;
}

export interface ScheduleChangedView extends ScheduleView {
  /** False: it was so already. */
  readonly changed: boolean;
  /** An occurrence is under way: it is not touched. */
  readonly underWay: boolean;
  /** The message that `run-now` made. */
  readonly message: string | null;
}

export interface DeadLetterView {
  readonly session: string;
  readonly id: string;
  readonly tries: number;
  readonly errorClass: string | null;
  readonly error: string | null;
  readonly finishedAt: string | null;
  /** The one that ended; from 0. */
  readonly attempt: number;
  /** Why its last turn ended. */
  readonly reason: string;
  /** null: it is not purged. */
  readonly purgedAt: string | null;
  /** It waits to be tried again since then; null: it does not. */
  readonly replayRequestedAt: string | null;
}

export interface DeadMessageView extends Omit<DeadLetterView, 'reason'> {
  readonly status: 'pending' | 'completed' | 'failed' | 'paused';
  readonly kind: string;
  readonly timestamp: string;
  /** Parsed; `{"text": ...}` around what is not JSON. */
  readonly content: unknown;
  /** Only where the content was cut for its size. */
  readonly truncated?: true;
  readonly deferrals: number;
  /** null: it is not dead. */
  readonly reason: string | null;
  readonly series: string | null;
  readonly occurrence: string | null;
  /** By attempt. A first attempt that succeeded has none. */
  readonly ends: readonly TurnEndView[];
  /** Commands, each with what it does. */
  readonly can: readonly string[];
}

/** How a turn ended, and the incarnation that it was in. */
export interface TurnEndView {
  readonly attempt: number;
  readonly outcome: 'complete' | 'fail' | 'retry' | 'defer';
  readonly reason: string;
  readonly error: string | null;
  readonly errorClass: string | null;
  readonly endedAt: string;
  readonly epoch: number;
  /** Its container goes on: the rest is not known yet. */
  readonly running: boolean;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly oomKilled: boolean;
  readonly stopReason: string | null;
  /** Its last 64 KB; null: not known. */
  readonly lastOutput: string | null;
}

export interface RetriedView {
  readonly dryRun: boolean;
  readonly retried: readonly RetriedLetterView[];
  /** Sessions that were passed over, and why. */
  readonly problems: readonly string[];
}

export interface RetriedLetterView {
  readonly session: string;
  readonly id: string;
  /** The one to come. */
  readonly attempt: number;
  /** What keeps its session from being woken for it; null: nothing. */
  readonly waits: 'quarantined' | 'suspended' | 'held' | 'draining' | 'no_daemon' | null;
}

export interface PurgedView {
  readonly dryRun: boolean;
  /** When it was looked. */
  readonly asOf: string;
  readonly purged: readonly PurgedLetterView[];
  readonly problems: readonly string[];
}

export interface PurgedLetterView {
  readonly session: string;
  readonly id: string;
}

export interface LogsView {
  readonly session: string;
  readonly running: boolean;
  /** null: no container was ever started for it. */
  readonly incarnation: IncarnationView | null;
  readonly output: string;
}

export interface GcView {
  readonly dryRun: boolean;
  readonly actions: readonly GcActionView[];
  /** By kind of action, and `actions`, `bytes`, `kept`. */
  readonly counts: Readonly<Record<string, number>>;
  /** What is old and stays all the same, by why. */
  readonly kept: Readonly<Record<string, number>>;
  /** Jobs that broke off; what they did before is among the actions. */
  readonly failures: readonly { readonly job: string; readonly why: string }[];
}

export interface GcActionView {
  readonly session: string | null;
  readonly action: string;
  readonly reason: string;
  readonly path: string | null;
  readonly bytes: number | null;
  readonly [detail: string]: string | number | boolean | null;
}

/** What became of an event. `session` null: there is none for its channel, and nothing was made. */
export interface RoutedView {
  readonly session: string | null;
  /** Of the message; null: the event was none. */
  readonly id: string | null;
  readonly duplicate: boolean;
  /** Whether the session was made for it, or opened again. */
  readonly made: 'created' | 'reopened' | null;
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

export interface ReloadView {
  readonly changed: readonly SettingChange[];
  /** What was wrong but harmless. */
  readonly warnings: readonly string[];
  /** What was read; null: there is no config file. */
  readonly file: string | null;
}

export interface DoctorView {
  readonly checks: readonly CheckView[];
  readonly problems: number;
  readonly warnings: number;
}

export interface CheckView {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'problem';
  /** What was found. */
  readonly detail: string;
  /** What to type or do; null where nothing is wrong. */
  readonly remedy: string | null;
}
