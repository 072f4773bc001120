import type { ImportView } from './import/import-view.js';
import type { StagedFile } from '../ports/staging.js';
import type {
  AttachmentView,
  BatchView,
  CreatedView,
  DeadLetterView,
  DeadMessageView,
  DrainView,
  GcView,
  LogsView,
  ChangedView,
  PurgedView,
  ReloadView,
  RepliesPage,
  RoutedView,
  RetriedView,
  ScheduleChangedView,
  ScheduleDetailView,
  ScheduleView,
  SentView,
  SessionSummaryView,
  SessionView,
  StatusView,
  SweepView,
} from './views.js';

/**
 * Everything that can be asked at the desk, from inside a process or over the socket: the same questions, answers and
 * errors (NightporterError) on both ways. Inputs are what people typed; they are validated behind it.
 */
export interface DeskApi {
  status(): Promise<StatusView>;
  send(input: SendInput): Promise<SentView>;
  /** Keeps a file for a message: to be handed to `send` within the hour. */
  stage(name: string, bytes: AsyncIterable<Uint8Array>, size?: number): Promise<StagedFile>;
  /** NDJSON of `SendInput`, all or nothing. `session` is that of lines which name none. */
  sendBatch(bytes: AsyncIterable<Uint8Array>, session: string | undefined): Promise<BatchView>;
  /** Answers after a mark (0: from the start), oldest first. */
  replies(session: string, after: number): Promise<RepliesPage>;
  /** A file that an answer came with; what is not handed out is `refused`. */
  attachment(session: string, reply: string, name: string): Promise<AttachmentView>;
  createSession(input: CreateSessionInput): Promise<CreatedView>;
  sessions(options: { readonly closed: boolean }): AsyncIterable<Streamed<SessionSummaryView>>;
  showSession(session: string): Promise<SessionView>;
  changeSession(session: string, change: SessionChange): Promise<ChangedView>;
  deadLetters(filter: DeadFilter): AsyncIterable<Streamed<DeadLetterView>>;
  showDead(session: string, id: string): Promise<DeadMessageView>;
  retryDead(selection: DeadSelection): Promise<RetriedView>;
  purgeDead(selection: DeadSelection): Promise<PurgedView>;
  schedules(options: { readonly session?: string | undefined }): AsyncIterable<Streamed<ScheduleView>>;
  showSchedule(session: string, series: string): Promise<ScheduleDetailView>;
  changeSchedule(session: string, series: string, change: ScheduleChange): Promise<ScheduleChangedView>;
  logs(session: string): Promise<LogsView>;
  sweep(options: { readonly dryRun: boolean; readonly runtime?: string | undefined }): Promise<SweepView>;
  /** Closes, deletes and prunes what is due for it. */
  gc(options: { readonly dryRun: boolean; readonly archive?: boolean | undefined }): Promise<GcView>;
  /** Something happened where a channel is listened to; only a message makes a session, or goes into one. */
  route(event: ChannelEvent): Promise<RoutedView>;
  /** Brings over what a NanoClaw v2 installation has; what was brought before stays as it is. */
  importNanoclaw(input: ImportInput): Promise<ImportView>;
  drain(): Promise<DrainView>;
  /** Reads the daemon's settings again. Wrong ones are `usage`, with every problem, and change nothing. */
  reloadSettings(): Promise<ReloadView>;
}

export interface ImportInput {
  /** Of the installation; absolute. */
  readonly folder: string;
  /** Lists what would be brought, and changes nothing. */
  readonly dryRun: boolean;
  /** Only sessions of this group, as it is called here. */
  readonly group?: string | undefined;
}

/** What a channel adapter saw. */
export interface ChannelEvent {
  /** Where: any text that stays the same for one conversation, such as `telegram:1234:7`; 1 to 512 characters. */
  readonly channel: string;
  /** Group of the session that is made where there is none yet. */
  readonly group: string;
  /** `message` is work; everything else (typing, joined, seen, ...) makes nothing. */
  readonly event: string;
  /** Of a message. */
  readonly text?: string | undefined;
  readonly id?: string | undefined;
  readonly kind?: string | undefined;
  readonly attachments?: readonly StagedFile[] | undefined;
  /** What is known of the conversation: fills what is empty, never overwrites (also with events that are no work). */
  readonly project?: string | undefined;
  readonly title?: string | undefined;
  readonly provider?: string | undefined;
}

/** A row, or what kept a session's rows from being read: the others are listed all the same. */
export type Streamed<T> = { readonly row: T } | { readonly problem: string };

export interface SendInput {
  readonly session: string;
  readonly text: string;
  readonly id?: string | undefined;
  readonly kind?: string | undefined;
  /** A text time: not claimed before. */
  readonly after?: string | undefined;
  /** True: wakes no container by itself. */
  readonly noWake?: boolean | undefined;
  /** Five fields: the message begins a series of this schedule. */
  readonly cron?: string | undefined;
  /** Zone of `cron`; default: the install's. */
  readonly tz?: string | undefined;
  /** What the series does about missed occurrences. */
  readonly missed?: string | undefined;
  /** Files that were staged. */
  readonly attachments?: readonly StagedFile[] | undefined;
}

/** Which dead letters. */
export interface DeadFilter {
  readonly session?: string | undefined;
  readonly group?: string | undefined;
  /** Why the last turn ended: `tries_spent`, `fatal`, ... */
  readonly reason?: string | undefined;
  readonly errorClass?: string | undefined;
  /** Ended longer ago than this: `90m`, `12h`, `7d`. */
  readonly olderThan?: string | undefined;
  readonly newerThan?: string | undefined;
  readonly limit?: number | undefined;
  /** Purged ones too. */
  readonly purged?: boolean | undefined;
}

/** Which dead letters to change: named ones of a session, or those that the filter lets through. */
export interface DeadSelection extends DeadFilter {
  readonly ids?: readonly string[] | undefined;
  /** Needed where nothing says which ones. */
  readonly all?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** A text time: only those that had ended by then. */
  readonly until?: string | undefined;
}

export interface CreateSessionInput {
  readonly session: string;
  readonly provider?: string | undefined;
  /** Program and arguments in one text, split like a shell would. */
  readonly command?: string | undefined;
  readonly image?: string | undefined;
}

export const SESSION_CHANGES = ['pin', 'unpin', 'suspend', 'resume', 'close', 'reopen', 'delete', 'release'] as const;
export type SessionChange = (typeof SESSION_CHANGES)[number];

export const SCHEDULE_CHANGES = ['pause', 'resume', 'run-now', 'set', 'cancel'] as const;

export interface ScheduleChange {
  readonly change: (typeof SCHEDULE_CHANGES)[number];
  /** Of `set`: what is not named stays. */
  readonly cron?: string | undefined;
  readonly tz?: string | undefined;
  readonly missed?: string | undefined;
  readonly text?: string | undefined;
}
