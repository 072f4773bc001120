import type { ArtifactFolder } from '../core/retention/artifacts.js';
import type { Epoch, MessageId, SessionAddress } from '../protocol/address.js';
import type { GivenAnswer } from '../core/duplicates.js';
import type { ClaimRef } from '../core/action.js';
import type { DueSummary, FilesFacts, MessageCounts, ReplayRequest } from '../core/facts.js';
import type { RunnerNotes } from '../protocol/runner-notes.js';
import type { ArtifactEnd, ArtifactPage, DoomedArtifact } from './artifacts.js';
import type { OccurrenceRow, SeriesChange, SeriesRow, SeriesWritten } from './series.js';
import type { StagedFile } from './staging.js';
import type { MessageChange, MessageRow, MessageStatus, MissedPolicy } from '../protocol/rows.js';

/**
 * The files of sessions. Every call works in a child process and ends within its deadline. Expected outcomes are
 * values; a rejected promise is a fault of the machine (disk full, no permission, the children cannot be started).
 */
export interface SessionFiles {
  /** Makes the folder and both databases, fsynced up to the data dir. Idempotent; repairs empty files, nothing else. */
  create(session: SessionAddress): Promise<FilesOutcome<Record<never, never>>>;

  /**
   * One text per session that changes whenever one of its files does (inode, size, mtime, ctime in nanoseconds of
   * inbound.db and outbound.db), null where the folder is missing. Never opens a file. Meant for batches.
   */
  signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]>;

  /** Moves accepted messages into inbound.db in one transaction; idempotent by id. Makes missing files first. */
  deliver(
    session: SessionAddress,
    messages: readonly NewMessage[],
  ): Promise<FilesOutcome<{ readonly inserted: number; readonly duplicates: number }>>;

  /** Reads both files and the heartbeat; writes nothing. Opens outbound.db read-only and nothing else (but `containerGone`). */
  look(session: SessionAddress, options: LookOptions): Promise<FilesOutcome<FilesLook>>;

  /**
   * Writes changes to inbound.db in one transaction. `stale`: a row is not as expected; nothing was written. `rest`: what all
   * other unfinished one-shot messages end with; default: they do not.
   */
  change(
    session: SessionAddress,
    changes: readonly MessageChange[],
    rest?: RestFailure | null,
  ): Promise<FilesOutcome<Written>>;

  /**
   * The settling step, only when no container runs. Reads the acks again and answers `stale` if they are not those
   * of `step`; else counts in inbound.db, deletes the named `processing_ack` rows in outbound.db, clears `settled_claim`.
   */
  settle(session: SessionAddress, step: SettleStep): Promise<FilesOutcome<Written>>;

  /**
   * Readies the files for a new incarnation, only when no container runs: rolls back hot journals of both files,
   * removes the old heartbeat and resume ids that are too old, then looks, so that the acks are read again before the wake.
   * `duplicates`: rows that an older file held too many of its series; `expired`: ids that were removed.
   */
  prepareStart(
    session: SessionAddress,
    options: StartOptions,
  ): Promise<FilesOutcome<FilesLook & { readonly duplicates: number; readonly expired: number }>>;

  /** Removes resume ids that are too old from outbound.db, only when no container runs. `notes`: what is left. Idempotent. */
  expireResumeIds(
    session: SessionAddress,
    resumeMaxAgeMs: number,
    nowMs: number,
  ): Promise<FilesOutcome<{ readonly expired: number; readonly notes: RunnerNotes }>>;

  /** Moves a corrupt file aside (kept beside it), makes a fresh one. Returns where the old one went, and the unfinished messages. */
  replaceCorrupt(
    session: SessionAddress,
    file: CorruptFile,
  ): Promise<FilesOutcome<{ readonly movedTo: string; readonly unfinished: readonly MessageRow[] }>>;

  /** Rows that ended `failed`, newest first; purged ones only if asked for. */
  failed(
    session: SessionAddress,
    limit: number,
    options?: { readonly purged: boolean },
  ): Promise<FilesOutcome<{ readonly rows: readonly FailedMessage[] }>>;

  /** One message of whatever status with its content; null: there is none of this id. */
  message(session: SessionAddress, id: MessageId): Promise<FilesOutcome<{ readonly message: StoredMessage | null }>>;

  /** What has become of these messages; those that are not there are left out. */
  states(
    session: SessionAddress,
    ids: readonly MessageId[],
  ): Promise<FilesOutcome<{ readonly rows: readonly MessageState[] }>>;

  /** Hides dead letters; what is not one (any more) is passed over. */
  purge(session: SessionAddress, ids: readonly MessageId[], nowMs: number): Promise<FilesOutcome<Purged>>;

  /** Answers after a mark (0: from the start), oldest first; `mark` is where to go on. */
  replies(
    session: SessionAddress,
    after: number,
    limit: number,
  ): Promise<FilesOutcome<{ readonly rows: readonly Reply[]; readonly mark: number }>>;

  /** What was answered to some messages (at most 100), oldest first; of very many the first ones. */
  answersTo(
    session: SessionAddress,
    messages: readonly string[],
  ): Promise<FilesOutcome<{ readonly rows: readonly GivenAnswer[] }>>;

  /** Live rows of series, by their next time; null: of all of them. */
  series(
    session: SessionAddress,
    series: string | null,
  ): Promise<FilesOutcome<{ readonly rows: readonly SeriesRow[] }>>;

  /** Rows of one series, newest first. */
  occurrences(
    session: SessionAddress,
    series: string,
    limit: number,
  ): Promise<FilesOutcome<{ readonly rows: readonly OccurrenceRow[] }>>;

  /** Changes a series in one transaction; what its container has claimed is not moved. */
  changeSeries(session: SessionAddress, change: SeriesChange): Promise<FilesOutcome<SeriesWritten>>;

  /** A part of an attachment of an answer: at most 1 MiB from `offset` on. `identity`: that of the part before. */
  readAttachment(
    session: SessionAddress,
    part: {
      readonly reply: string;
      readonly name: string;
      readonly offset: number;
      readonly identity: string | null;
    },
  ): Promise<FilesOutcome<AttachmentChunk>>;

  /** Removes what lies in the inbox and outbox for messages and answers that are gone, following no link. Idempotent. */
  removeMessageFiles(session: SessionAddress, files: MessageFiles): Promise<FilesOutcome<{ readonly removed: number }>>;

  /** Every folder that could be a session's, by name; whether there is such a session it does not say. */
  folders(): Promise<readonly SessionAddress[]>;

  /** Of a folder that is of no session: when something was written last in it; null: there is none. */
  stray(
    session: SessionAddress,
  ): Promise<FilesOutcome<{ readonly writtenMs: number | null; readonly isOnOtherDisk: boolean }>>;

  /** Moves such a folder below `archive/` in the data dir. Answers where to; null: that is on another disk. */
  archive(session: SessionAddress, nowMs: number): Promise<FilesOutcome<{ readonly path: string | null }>>;

  /** Bytes of all its files, links not followed; null: too many to be counted, or not all can be seen. */
  measure(session: SessionAddress): Promise<FilesOutcome<{ readonly bytes: number | null }>>;

  /** Messages that ended before the limits, oldest first: all but those that go on with a series, and the newest message. */
  prunable(session: SessionAddress, limits: PruneLimits): Promise<FilesOutcome<Pruned>>;

  /** Deletes ended messages with their acks and inbox files, only when no container runs. What holds a claim stays. Idempotent. */
  prune(session: SessionAddress, ids: readonly MessageId[]): Promise<FilesOutcome<PruneOutcome>>;

  /** A page of what lies in folders within the session's, by rules, links not followed. `from`: where to go on, 0 at first. */
  artifacts(
    session: SessionAddress,
    folders: readonly ArtifactFolder[],
    from: number,
  ): Promise<FilesOutcome<ArtifactPage>>;

  /**
   * All that may be a provider's session id in `session_state`, whatever its format, but for the sessions of some providers. No
   * answer where it is not whole.
   */
  resumeIds(
    session: SessionAddress,
    without?: readonly string[],
  ): Promise<FilesOutcome<{ readonly ids: readonly string[] }>>;

  /**
   * Deletes artifacts to which nothing was written since they were judged, and that are of no live id: those given, and those in
   * `session_state` by now. `ends`: of the first so many, in their order; the others are left for the next call.
   */
  removeArtifacts(
    session: SessionAddress,
    artifacts: readonly DoomedArtifact[],
    liveIds: readonly string[],
  ): Promise<FilesOutcome<{ readonly ends: readonly ArtifactEnd[] }>>;

  /**
   * Deletes the session's folder, following no link; only after its registry row is gone. Idempotent. What the host may not
   * delete is put aside, and told of in the log: nobody finds it under the session's name.
   */
  remove(session: SessionAddress): Promise<FilesOutcome<Record<never, never>>>;

  /** Ends the children; calls under way are rejected. Idempotent. */
  close(): Promise<void>;
}

export type Lane = 'normal' | 'slow';
export type CorruptFile = 'inbound.db' | 'outbound.db';

export type FilesOutcome<T> =
  | (T & { readonly kind: 'ok' })
  /** Locked, or a journal that only its owner may roll back: look again later. Past the deadline counts too. */
  | { readonly kind: 'busy'; readonly file: string; readonly detail: string }
  /** Must not be opened: link, fifo, directory, WAL header, view, ... Quarantine. */
  | { readonly kind: 'hostile'; readonly file: string; readonly detail: string }
  /** SQLite says NOTADB or CORRUPT. `signature`: of the bytes it was said of. */
  | { readonly kind: 'corrupt'; readonly file: CorruptFile; readonly detail: string; readonly signature: string }
  /** The folder is not there. */
  | { readonly kind: 'missing' };

/** `stale`: what the plan was made from has changed; nothing was written, look again. */
export type Written =
  | {
      readonly written: true;
      readonly due: DueSummary;
      readonly counts: MessageCounts;
      readonly liveSeries: number;
      readonly duplicates?: number;
    }
  | { readonly written: false };

export interface LookOptions {
  readonly nowMs: number;
  readonly lane: Lane;
  /**
   * The runtime says that no container runs: a hot journal that a killed one left beside outbound.db is rolled back
   * first. Without it such a file stays `busy` (`SQLITE_READONLY_ROLLBACK`) until the next `prepareStart` or `settle`.
   */
  readonly containerGone?: boolean;
  /** Replays that wait to be done. */
  readonly replays?: readonly ReplayRequest[];
}

export interface StartOptions extends Pick<LookOptions, 'nowMs' | 'lane'> {
  /** MAX_SESSION_AGE_MS; 0: only ids that do not say when they were used are too old. */
  readonly resumeMaxAgeMs: number;
}

/** A look's facts, with the signature that the files had before they were read. */
export interface FilesLook extends FilesFacts {
  readonly signature: string;
}

export interface RestFailure {
  readonly error: string;
  readonly errorClass: string;
}

export interface SettleStep {
  /** Epoch of the incarnation that is gone: the fence, and part of a counted claim's mark. */
  readonly epoch: Epoch;
  readonly changes: readonly MessageChange[];
  /** See `change`. */
  readonly rest?: RestFailure | null;
  /** The `processing` rows to delete, exactly as the plan saw them. */
  readonly claims: readonly ClaimRef[];
  /** Ended ack rows to delete before their message is re-armed (foreign runners). */
  readonly ackRows: readonly MessageId[];
  /** Messages whose `settled_claim` is cleared at the end. */
  readonly clear: readonly MessageId[];
  readonly nowMs: number;
}

export interface NewMessage {
  readonly id: MessageId;
  readonly kind: string;
  readonly timestampMs: number;
  readonly processAfterMs: number | null;
  readonly trigger: boolean;
  readonly onWake: boolean;
  /** JSON text. */
  readonly content: string;
  readonly recurrence: string | null;
  readonly seriesId: string | null;
  readonly timezone: string | null;
  /** The scheduled instant of a recurring message. */
  readonly occurrenceMs: number | null;
  readonly missed: MissedPolicy | null;
  /** Files that are moved from the staging folder into `in/inbox/<id>/` before the row is there. */
  readonly attachments?: readonly StagedFile[];
}

export interface FailedMessage {
  readonly id: MessageId;
  readonly kind: string;
  readonly tries: number;
  readonly attempt: number;
  readonly errorClass: string | null;
  readonly error: string | null;
  readonly finishedAtMs: number | null;
  readonly timestampMs: number;
  /** null: it is not purged. */
  readonly purgedAtMs: number | null;
}

/** A message with all that is known of it. */
export interface StoredMessage extends FailedMessage {
  readonly status: MessageStatus;
  readonly deferrals: number;
  readonly processAfterMs: number | null;
  readonly seriesId: string | null;
  readonly occurrenceMs: number | null;
  /** As found; not necessarily JSON. */
  readonly content: string;
  readonly truncated: boolean;
}

export type MessageState = Pick<StoredMessage, 'id' | 'status' | 'attempt' | 'purgedAtMs'>;

/** Epoch milliseconds; null: they are kept for ever. Strict: what ended at that instant stays. */
export interface PruneLimits {
  readonly completedBeforeMs: number | null;
  /** Dead letters. */
  readonly failedBeforeMs: number | null;
  /** Dead letters that were purged. */
  readonly purgedBeforeMs: number;
  /** At most so many in one call. */
  readonly most: number;
}

export interface Pruned {
  readonly completed: readonly MessageId[];
  readonly failed: readonly MessageId[];
}

export interface PruneOutcome {
  /** Those of the named that are not there any more. */
  readonly gone: readonly MessageId[];
  /** Completed messages and dead letters that are left, and dead letters that are hidden. */
  readonly completed: number;
  readonly failed: number;
  readonly hidden: number;
}

export interface Purged {
  /** Those that this call hid. */
  readonly purged: readonly MessageId[];
  /** Dead letters that are left, and those that are hidden. */
  readonly failed: number;
  readonly hidden: number;
}

export interface Reply {
  readonly id: string;
  readonly inReplyTo: string | null;
  /** The text as found; epoch milliseconds where it is a time. */
  readonly timestamp: string;
  readonly timestampMs: number | null;
  readonly kind: string;
  /** As found, with U+FFFD for what is not UTF-8; not necessarily JSON. */
  readonly content: string;
  readonly truncated: boolean;
  /** Only where something lies in its outbox folder. */
  readonly files?: ReplyAttachments;
}

export interface ReplyAttachments {
  readonly attachments: readonly { readonly name: string; readonly bytes: number }[];
  /** What is not handed out, and why. */
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

export type AttachmentChunk =
  | { readonly found: true; readonly data: Uint8Array; readonly size: number; readonly identity: string }
  | { readonly found: false; readonly why: string };

/** Ids whose folders are removed. */
export interface MessageFiles {
  readonly messages: readonly MessageId[];
  readonly answers: readonly string[];
}
