import type {
  ForeignAnswer,
  ForeignFile,
  ForeignGroup,
  ForeignMessage,
  ForeignSeriesRow,
  ForeignSession,
  ImportedAnswer,
  ImportedMessage,
} from '../core/import/foreign.js';
import type { MessageId, SessionAddress } from '../protocol/address.js';

/**
 * A NanoClaw v2 installation, read-only: nothing in its folder is opened for writing, nor by SQLite at all; databases are
 * copied aside, and the copies opened in child processes. And the files of sessions that are being brought over: made beside the others, and put
 * in their place when they are whole. What cannot be read, made or put in place is `refused`, also where a file worker was lost over it: that
 * concerns one session. A rejected promise concerns all of them (disk full, file workers that do not start).
 */
export interface Nanoclaw {
  /** Copies the central database aside. One import at a time: `busy` is another one. Ended by `end`, whatever happens. */
  begin(
    folder: string,
  ): Promise<Read<{ readonly source: Source }> | { readonly kind: 'not_found' | 'busy'; readonly why: string }>;
  /** Removes the copies, and what was made of sessions and not put in its place. Idempotent. */
  end(source: Source): Promise<void>;
  /** The same of imports that were killed, before any that begins later reads or makes something. `busy`: one is under way. */
  clean(): Promise<'cleaned' | 'busy'>;

  groups(source: Source): Promise<Read<{ readonly groups: readonly ForeignGroup[]; readonly zone: string | null }>>;
  sessions(source: Source, after: number): Promise<Read<Page<ForeignSession>>>;
  /** Sessions' folders by group and name, at most so many. */
  folders(source: Source, most: number): Promise<Read<{ readonly folders: readonly FolderName[] }>>;

  /** Copies a session's databases aside, in place of those of the session before. Without its inbound.db nothing is told of it. */
  openSession(
    source: Source,
    session: FolderName,
  ): Promise<Read<{ readonly inbound: DatabaseState; readonly outbound: DatabaseState | Refused }>>;
  /** Of the opened session. */
  series(source: Source): Promise<Read<{ readonly rows: readonly ForeignSeriesRow[] }>>;
  messages(source: Source, after: number, contentMaxBytes: number): Promise<Read<Page<ForeignMessage>>>;
  answers(source: Source, after: number, contentMaxBytes: number): Promise<Read<Page<ForeignAnswer>>>;
  state(source: Source): Promise<Read<{ readonly rows: readonly StateRow[] }>>;
  /** Where its agent may write to, and where its answers go by default. */
  routing(source: Source): Promise<Read<{ readonly routing: Routing }>>;
  /** What lies in its inbox or outbox for these messages. */
  files(
    source: Source,
    session: FolderName,
    box: Box,
    ids: readonly string[],
  ): Promise<Read<{ readonly found: readonly BoxFolder[] }>>;

  /**
   * Readies a place for the files of a session that is new; what an earlier import left of it is removed. `taken`: a folder is there
   * that was not made with the same mark. `dryRun`: only answers.
   */
  prepare(session: SessionAddress, mark: string, dryRun: boolean): Promise<Read<Prepared>>;
  write(session: SessionAddress, rows: ImportRows): Promise<Read<{ readonly collisions: readonly string[] }>>;
  copyFile(
    source: Source,
    from: FolderName,
    to: SessionAddress,
    box: Box,
    file: FileToCopy,
  ): Promise<Read<Record<never, never>>>;
  /** Of the messages that were written. */
  messageIds(session: SessionAddress, after: number): Promise<Read<Page<MessageId>>>;
  /** Puts it in its place, whole and durable, when messages without a number have theirs, behind all others. */
  place(session: SessionAddress): Promise<Read<Record<never, never>>>;
  /** Removes what was made of it so far. Idempotent. */
  drop(session: SessionAddress): Promise<Read<Record<never, never>>>;
}

export interface Prepared {
  readonly state: 'ready' | 'taken';
}

/** Names an import under way. */
export interface Source {
  readonly id: string;
  /** Real path of the installation. */
  readonly root: string;
}

export type Read<T> = (T & { readonly kind: 'ok' }) | Refused;
/** For people: what cannot be done, and why. */
export interface Refused {
  readonly kind: 'refused';
  readonly why: string;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** Where to go on; null: that was all. */
  readonly next: number | null;
}

export interface FolderName {
  readonly group: string;
  readonly session: string;
}

export interface DatabaseState {
  readonly kind: 'there' | 'absent';
}

export interface FileToCopy {
  readonly fromId: string;
  readonly toId: string;
  readonly name: string;
}

export type Box = 'inbox' | 'outbox';

export interface BoxFolder {
  /** Of the message or answer. */
  readonly id: string;
  readonly files: readonly ForeignFile[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

export interface StateRow {
  readonly key: string;
  readonly value: string;
  readonly updatedAt: string;
}

export type TextCells = Readonly<Record<string, string | null>>;

/** Rows of `destinations` and `session_routing`, by their columns. */
export interface Routing {
  readonly destinations: readonly TextCells[];
  readonly session: TextCells | null;
}

export interface ImportRows {
  readonly messages?: readonly ImportedMessage[];
  readonly answers?: readonly ImportedAnswer[];
  readonly state?: readonly StateRow[];
  readonly routing?: Routing;
}
