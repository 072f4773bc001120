import type { ChannelKey, Epoch, GroupName, MessageId, SessionAddress, SessionName } from '../protocol/address.js';
import type { MessageCounts, ReplayRequest } from '../core/facts.js';
import type { Spent } from '../core/budget.js';
import type { ProviderGate } from '../core/provider-gate.js';
import type { ProviderSession, RunnerNotes, UsageNote } from '../protocol/runner-notes.js';
import type { GuardState } from '../core/guard.js';
import type { StopReason } from '../core/reasons.js';
import type { Compaction } from './compaction.js';
import type { NewNotice, NoticeKind, NoticeRecord } from './notices.js';
import type { NewMessage } from './session-files.js';
import type { ContainerId, InstallId } from './runtime.js';

/**
 * registry.db: what the host knows. Synchronous; every method is one transaction, durable when it returns.
 * Times are integer epoch milliseconds.
 */
export interface Registry {
  /** Bound to machine id, real path and inode of the data dir; a copy of the data dir gets a new one. */
  readonly install: InstallId;
  /** Absolute path. */
  readonly file: string;
  readonly readonly: boolean;

  /** Makes one transaction of what `work` writes: all of it or nothing, one wait for the disk. */
  together<T>(work: () => T): T;

  // --- sessions
  findSession(session: SessionAddress): SessionRecord | undefined;
  /** An existing address that differs only in case, if there is one. */
  findCaseTwin(session: SessionAddress): SessionAddress | undefined;
  /** Creates the row; `exists` leaves the old row as it was but for fills of empty fields (provider, image, command). */
  createSession(session: NewSession): 'created' | 'exists';
  /** Every session in address order, closed ones too; a stable cursor, safe while rows change. */
  eachSession(): Iterable<SessionRecord>;
  /** What a list shows of every session, in the same order, in a fraction of the time. A page takes about a millisecond. */
  summaryPages(): Iterable<readonly SessionSummary[]>;
  /** Those with series that go on, and those with one in the spool; in address order. */
  sessionsWithSeries(): Iterable<SessionRecord>;
  /** Those with dead letters, of `group` alone where one is named, in address order; `purged`: also those with hidden ones. */
  sessionsWithFailed(options: {
    readonly group?: GroupName | undefined;
    readonly purged: boolean;
  }): Iterable<SessionRecord>;
  setStatus(session: SessionAddress, status: SessionStatus, atMs: number, reason: string | null): void;
  setPinned(session: SessionAddress, pinned: boolean): void;
  setQuarantine(session: SessionAddress, quarantine: Quarantine | null): void;
  /** What a look found: counts, next due time, signature, last activity. */
  recordLook(session: SessionAddress, facts: LookFacts): void;
  /** A hint that something of this session may be due; only ever lowers `nextDueAtMs`. */
  lowerNextDue(session: SessionAddress, dueAtMs: number): void;
  /** The row and all that depends on it, open notices too; its folder is a removal to be finished from then on. */
  deleteSession(session: SessionAddress, atMs: number): void;

  // --- the end of sessions
  /** Active ones that are not pinned and without activity since before `beforeMs`; longest first, page by page. */
  idleSince(beforeMs: number): Iterable<readonly SessionRecord[]>;
  /** Closed ones that are not pinned and were closed before `beforeMs`; longest first, page by page. */
  closedSince(beforeMs: number): Iterable<readonly SessionRecord[]>;
  /** Sessions that are deleted, and whose folders may still be there. */
  removals(limit: number): readonly SessionAddress[];
  isBeingRemoved(session: SessionAddress): boolean;
  /** The folder is gone. */
  forgetRemoval(session: SessionAddress): void;

  // --- conversations
  findConversation(channel: ChannelKey): ConversationRecord | undefined;
  /** Something was said: it goes on in this session, and was active at `atMs`. */
  saveConversation(channel: ChannelKey, session: SessionAddress, atMs: number): void;
  /** Those without activity since before `beforeMs`, longest first, page by page. */
  idleConversations(beforeMs: number): Iterable<readonly ConversationRecord[]>;
  /** Unless something was said since `beforeMs`; whether it was dropped. */
  dropConversation(channel: ChannelKey, beforeMs: number): boolean;

  // --- messages that are deleted
  /** Those whose deletion was begun and not seen to end. */
  prunes(session: SessionAddress): readonly MessageId[];
  /** These, and no others, are about to be deleted from the session's file: none of them is tried again. */
  beginPrune(session: SessionAddress, ids: readonly MessageId[]): void;
  /** They are gone: their ids may be used anew, and nothing speaks of them any more. `left`: what the file has left. */
  endPrune(
    session: SessionAddress,
    ids: readonly MessageId[],
    left: { readonly completed: number; readonly failed: number; readonly purged: number },
  ): void;

  /** How its file is made smaller, where much of it is free. */
  compact(): Compaction;

  // --- spool
  /** One commit; creates the session if there is none, lowers its `nextDueAtMs`. */
  accept(message: AcceptedMessage): AcceptResult;
  /** All or nothing in one commit: `refused` lists every message that cannot be accepted and why. */
  acceptAll(messages: readonly AcceptedMessage[]): ReturnType<AcceptBatch['commit']>;
  /** The same in parts, so that a large batch holds nobody up; what is not committed is gone with this process. */
  beginBatch(): AcceptBatch;
  /** Oldest first, at least one where there is one; fewer than `limit` where their contents are large. */
  spooled(session: SessionAddress, limit: number): readonly NewMessage[];
  /** An id that was accepted is not accepted again, whatever the content: what it named was cancelled. */
  spendMessageId(session: SessionAddress, id: MessageId): void;
  /** Ids of messages that came into the file by another way: nothing is accepted under them, whatever the content. */
  occupyMessageIds(session: SessionAddress, ids: readonly MessageId[]): void;
  /** Messages in the spool that begin a series, oldest first. */
  spooledSeries(session: SessionAddress): readonly NewMessage[];
  /** Whether a message that is still in the spool has a file of this staging folder. */
  isStageSpooled(stage: string): boolean;
  /** They are in inbound.db: removes them from the spool and lowers `nextDueAtMs` to the earliest of them. */
  unspool(session: SessionAddress, messages: readonly MessageId[]): void;

  // --- dead letters
  /**
   * Requests that these be tried again, one for each message, and lowers `nextDueAtMs`: durable when it returns. Answers those that
   * were refused, as they are about to be deleted.
   */
  requestReplays(session: SessionAddress, requests: readonly ReplayRequest[], atMs: number): readonly MessageId[];
  replays(session: SessionAddress): readonly ReplayRecord[];
  /** They are done, or not to be done; a later request for the same message stays. */
  dropReplays(session: SessionAddress, requests: readonly ReplayRequest[]): void;
  /** How attempts ended; what was recorded of the same attempt before is replaced. */
  recordTurnEnds(session: SessionAddress, ends: readonly TurnEnd[]): void;
  /** Of one message, by attempt; of very many the newest. */
  turnEnds(session: SessionAddress, id: MessageId): readonly TurnEnd[];
  /** Why attempts of the session's messages ended as failed. */
  failures(session: SessionAddress): readonly Pick<TurnEnd, 'id' | 'attempt' | 'reason'>[];
  /** What a purge left; the next look counts again. */
  countDead(session: SessionAddress, counts: { readonly failed: number; readonly purged: number }): void;

  // --- what the round looks at
  /**
   * Not quarantined sessions that are active with `nextDueAtMs` <= now, active or suspended with spooled messages, or of
   * any status with unfinished claims. Those without a due time first, then the longest due.
   */
  dueSessions(nowMs: number, limit: number): readonly SessionAddress[];
  /** All of them, page by page in this order: others may have their turn in between. One that changes may come twice. */
  eachDue(nowMs: number): Iterable<readonly SessionAddress[]>;
  /** Active, not quarantined sessions with `afterMs` < `nextDueAtMs` <= `untilMs`; by due time. */
  dueBetween(afterMs: number, untilMs: number, limit: number): readonly SessionAddress[];
  /** The earliest `nextDueAtMs` after now of an active, not quarantined session. */
  nextDueAfter(nowMs: number): number | undefined;
  /**
   * The next `limit` sessions that are neither closed nor quarantined, in address order after `after` (wraps by
   * undefined), with their signatures: the drift check.
   */
  slice(
    after: SessionAddress | undefined,
    limit: number,
  ): readonly { readonly session: SessionAddress; readonly signature: string | null }[];
  /** Sessions and messages by state. */
  totals(): RegistryTotals;

  // --- incarnations
  /** Numbers a new incarnation: 1 + the highest of the session's epoch and `atLeast`. Recorded as starting. */
  beginIncarnation(
    session: SessionAddress,
    facts: { readonly atLeast: Epoch; readonly specHash: string; readonly atMs: number; readonly answersMark: number },
  ): Epoch;
  confirmStart(session: SessionAddress, epoch: Epoch, containerId: ContainerId, startedAtMs: number): void;
  /** An adopted container's incarnation that a restored registry does not know: recorded, epoch raised to it. */
  adoptIncarnation(
    session: SessionAddress,
    facts: {
      readonly epoch: Epoch;
      readonly containerId: ContainerId;
      readonly specHash: string;
      readonly startedAtMs: number;
    },
  ): void;
  /** Seen to have claimed: it is not a fruitless start. */
  markClaimed(session: SessionAddress, epoch: Epoch): void;
  /** Why the host is about to stop it; written before the stop. null: it was not stopped after all. */
  markStopping(session: SessionAddress, epoch: Epoch, reason: StopReason | null): void;
  /** It is over, and its session due for a look at what it left behind. */
  endIncarnation(session: SessionAddress, epoch: Epoch, end: IncarnationEnd): void;
  findIncarnation(session: SessionAddress, epoch: Epoch): IncarnationRecord | undefined;
  /** Newest first. */
  incarnations(session: SessionAddress, limit: number): readonly IncarnationRecord[];
  /** Sessions that may have claims or containers which nobody of this process has seen yet: open incarnations, claims as last counted. */
  leftBehind(): readonly SessionAddress[];
  /** Incarnations without a `stoppedAtMs`. */
  openIncarnations(): readonly IncarnationRecord[];

  // --- providers
  /**
   * Takes over the provider sessions that the runner says in the session's file; those that are not there any more are
   * forgotten.
   */
  noteRunner(session: SessionAddress, notes: Pick<RunnerNotes, 'sessions'>, nowMs: number): void;
  /** Takes over how many resume ids were not known to which provider, ever; of providers that are the session's own. */
  noteResumeFailures(session: SessionAddress, said: RunnerNotes['resumeFailures']): void;
  providerSessions(session: SessionAddress): readonly ProviderSessionRecord[];
  /** Those last used before `beforeMs`, longest ago first, page by page. */
  unusedSince(beforeMs: number): Iterable<readonly ProviderSessionRecord[]>;
  /** By provider: resume ids that it did not know, of all sessions there ever were. */
  resumeFailures(): readonly { readonly provider: string; readonly failures: number }[];
  /** By provider: those that limit us, as far as is known. */
  providerGates(): ReadonlyMap<string, ProviderGate>;
  saveProviderGate(provider: string, gate: ProviderGate | null): void;

  // --- what was used
  /** What the session's file says was used, less what it said last: counted once. */
  newUsage(session: SessionAddress, said: UsageNote): UsageNote;
  /** By a session, or by all of a group; undefined: nothing yet. */
  spent(scope: SessionAddress | GroupName): Spent | undefined;
  saveSpent(scope: SessionAddress | GroupName, spent: Spent): void;

  // --- guards
  /** A fresh guard where none is stored. */
  guard(session: SessionAddress): GuardState;
  saveGuard(session: SessionAddress, guard: GuardState): void;

  // --- notices
  /** One open notice per (kind, session): raised again it counts up and answers false. */
  raise(notice: NewNotice): boolean;
  /** Closes the open notice; answers whether there was one. */
  settleNotice(kind: NoticeKind, session: SessionAddress | null): boolean;
  openNotices(limit: number): readonly NoticeRecord[];
  /** Open ones of what happened last before `beforeMs`, longest ago first, page by page. */
  noticesBefore(beforeMs: number): Iterable<readonly NoticeRecord[]>;

  // --- daemon facts (small JSON values by key: runtime choice, last sweep)
  readFact(key: string): string | undefined;
  writeFact(key: string, value: string): void;

  close(): void;
}

export type SessionStatus = 'active' | 'suspended' | 'closed';

export interface SessionRecord {
  readonly address: SessionAddress;
  readonly group: GroupName;
  readonly session: SessionName;
  readonly status: SessionStatus;
  readonly pinned: boolean;
  /** null: the group's. */
  readonly provider: string | null;
  readonly image: string | null;
  readonly command: readonly string[] | null;
  /** What a channel said of it; null: nothing yet. */
  readonly project: string | null;
  readonly title: string | null;
  readonly createdAtMs: number;
  readonly lastActiveMs: number | null;
  readonly closedAtMs: number | null;
  readonly closeReason: string | null;
  readonly epoch: Epoch;
  readonly nextDueAtMs: number | null;
  /** Changes with everything that lowers `nextDueAtMs`: to be handed back in `LookFacts`. */
  readonly dueMark: number;
  readonly quarantine: Quarantine | null;
  readonly heldSinceMs: number | null;
  readonly signature: string | null;
  readonly counts: MessageCounts;
  /** Accepted, not yet in its file. */
  readonly spooled: number;
  /** Dead letters that were hidden, as last told. */
  readonly purged: number;
  /** Series that go on, as the last look counted them. */
  readonly liveSeries: number;
}

export interface ConversationRecord {
  readonly channel: ChannelKey;
  readonly session: SessionAddress;
  readonly lastActiveMs: number;
}

export interface ProviderSessionRecord extends ProviderSession {
  readonly session: SessionAddress;
}

export interface SessionSummary {
  readonly session: SessionAddress;
  readonly status: SessionStatus;
  readonly pinned: boolean;
  readonly held: boolean;
  readonly quarantined: boolean;
  readonly lastActiveMs: number | null;
}

export interface Quarantine {
  readonly file: string;
  readonly detail: string;
  readonly sinceMs: number;
}

export interface NewSession {
  readonly address: SessionAddress;
  readonly createdAtMs: number;
  readonly provider: string | null;
  readonly image: string | null;
  readonly command: readonly string[] | null;
  readonly project?: string | null;
  readonly title?: string | null;
}

export interface LookFacts {
  readonly counts: MessageCounts;
  /** null: nothing waits. May be earlier than the truth, never later. */
  readonly nextDueAtMs: number | null;
  /**
   * The record's `dueMark` from before the look: if something lowered `nextDueAtMs` since, the earlier of both is kept.
   * Without it `nextDueAtMs` is set as it is, and a hint that came during the look may be lost.
   */
  readonly dueMark?: number | undefined;
  readonly signature: string | null;
  readonly lastActiveMs: number | null;
  readonly liveSeries: number;
}

export interface AcceptedMessage {
  readonly session: SessionAddress;
  readonly message: NewMessage;
  readonly acceptedAtMs: number;
}

export interface AcceptBatch {
  /** Keeps messages aside; nothing of them is accepted yet. */
  add(messages: readonly AcceptedMessage[]): void;
  /** Accepts all that was added or nothing, in one short commit. Indexes count from 0, in the order of adding. */
  commit(): {
    readonly refused: readonly { readonly index: number; readonly result: AcceptResult }[];
    readonly accepted: number;
    readonly duplicates: number;
  };
  /** Forgets what was added: to be called at the end, in any case. */
  discard(): void;
}

export type AcceptResult =
  | { readonly kind: 'accepted' }
  /** Known with the same content: nothing to do. */
  | { readonly kind: 'duplicate' }
  /** Known with other content. */
  | { readonly kind: 'conflict' }
  /** Another address that differs only in case exists. */
  | { readonly kind: 'case_twin'; readonly other: SessionAddress }
  | { readonly kind: 'session_closed' };

export interface ReplayRecord extends ReplayRequest {
  readonly requestedAtMs: number;
}

/** The end of one turn of a message. */
export interface TurnEnd {
  readonly id: MessageId;
  readonly attempt: number;
  readonly epoch: Epoch;
  readonly endedAtMs: number;
  readonly outcome: 'complete' | 'fail' | 'retry' | 'defer';
  readonly reason: string;
  readonly error: string | null;
  readonly errorClass: string | null;
}

export interface RegistryTotals {
  readonly sessions: {
    readonly active: number;
    readonly suspended: number;
    readonly closed: number;
    readonly held: number;
    readonly quarantined: number;
  };
  readonly messages: MessageCounts & { readonly spooled: number };
}

export interface IncarnationEnd {
  readonly stoppedAtMs: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly oomKilled: boolean;
  readonly turnsCompleted: number;
  /** At most 64 KiB. */
  readonly output: string;
  readonly fruitless: boolean;
}

export interface IncarnationRecord {
  readonly session: SessionAddress;
  readonly epoch: Epoch;
  readonly containerId: ContainerId | null;
  readonly specHash: string;
  /** When the host began it. */
  readonly begunAtMs: number;
  /** Confirmed by the runtime; null: not confirmed. */
  readonly startedAtMs: number | null;
  readonly stoppedAtMs: number | null;
  readonly stopReason: StopReason | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly oomKilled: boolean;
  readonly claimed: boolean;
  readonly fruitless: boolean | null;
  readonly turnsCompleted: number;
  /** Highest rowid of messages_out when it began. */
  readonly answersMark: number;
  readonly output: string | null;
}
