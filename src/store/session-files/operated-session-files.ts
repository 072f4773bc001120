import type { ArtifactFolder } from '../../core/retention/artifacts.js';
import type { MessageId, SessionAddress } from '../../protocol/address.js';
import { DiskFull, NightporterError } from '../../protocol/errors.js';
import type { MessageChange } from '../../protocol/rows.js';
import type { DoomedArtifact } from '../../ports/artifacts.js';
import type { SeriesChange } from '../../ports/series.js';
import type {
  CorruptFile,
  FilesOutcome,
  Lane,
  LookOptions,
  MessageFiles,
  NewMessage,
  PruneLimits,
  RestFailure,
  SessionFiles,
  SettleStep,
  StartOptions,
} from '../../ports/session-files.js';
import type { Fault } from '../worker/messages.js';
import type { OperationName, Operations } from './operations.js';

export type Busy = Extract<FilesOutcome<unknown>, { readonly kind: 'busy' }>;
export type SessionOperation = Exclude<OperationName, 'signatures' | 'folders'>;

/** The port as operations on session files; who carries them out, and where, is a subclass's. */
export abstract class OperatedSessionFiles implements SessionFiles {
  /** Carries an operation out; a fault of the machine rejects (`faultError`). */
  protected abstract ask<Name extends SessionOperation>(
    session: SessionAddress,
    operation: Name,
    params: Parameters<Operations[Name]>,
    lane?: Lane,
  ): Promise<ReturnType<Operations[Name]> | Busy>;

  /** Epoch milliseconds. */
  protected abstract now(): number;

  /** Staged attachments were gone when their message was delivered. */
  protected abstract lost(session: SessionAddress, count: number): void;

  /** Files of a deleted session that this process may not delete. */
  protected abstract leftBehind(session: SessionAddress, folder: string, detail: string): void;

  /** Other messages have the ids of these, which are given up. */
  protected abstract undelivered(session: SessionAddress, ids: readonly MessageId[]): void;

  abstract folders(): Promise<readonly SessionAddress[]>;

  abstract signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]>;

  abstract close(): Promise<void>;

  create(session: SessionAddress): Promise<FilesOutcome<Record<never, never>>> {
    return this.ask(session, 'create', [session]);
  }

  async deliver(
    session: SessionAddress,
    messages: readonly NewMessage[],
  ): Promise<FilesOutcome<{ readonly inserted: number; readonly duplicates: number }>> {
    const outcome = await this.ask(session, 'deliver', [session, messages]);
    if (outcome.kind === 'ok') {
      if (outcome.lostFiles > 0) this.lost(session, outcome.lostFiles);
      if (outcome.taken.length > 0) this.undelivered(session, outcome.taken);
    }
    return outcome;
  }

  look(
    session: SessionAddress,
    { nowMs, lane, containerGone, replays = [] }: LookOptions,
  ): ReturnType<SessionFiles['look']> {
    return this.ask(session, 'look', [session, nowMs, containerGone === true, replays], lane);
  }

  change(
    session: SessionAddress,
    changes: readonly MessageChange[],
    rest: RestFailure | null = null,
  ): ReturnType<SessionFiles['change']> {
    return this.ask(session, 'change', [session, changes, rest, this.now()]);
  }

  settle(session: SessionAddress, step: SettleStep): ReturnType<SessionFiles['settle']> {
    return this.ask(session, 'settle', [session, step]);
  }

  prepareStart(
    session: SessionAddress,
    { nowMs, lane, resumeMaxAgeMs }: StartOptions,
  ): ReturnType<SessionFiles['prepareStart']> {
    return this.ask(session, 'prepareStart', [session, nowMs, resumeMaxAgeMs], lane);
  }

  expireResumeIds(
    session: SessionAddress,
    resumeMaxAgeMs: number,
    nowMs: number,
  ): ReturnType<SessionFiles['expireResumeIds']> {
    return this.ask(session, 'expireResumeIds', [session, resumeMaxAgeMs, nowMs], 'slow');
  }

  replaceCorrupt(session: SessionAddress, file: CorruptFile): ReturnType<SessionFiles['replaceCorrupt']> {
    return this.ask(session, 'replaceCorrupt', [session, file, this.now()]);
  }

  failed(
    session: SessionAddress,
    limit: number,
    { purged }: { readonly purged: boolean } = { purged: false },
  ): ReturnType<SessionFiles['failed']> {
    return this.ask(session, 'failed', [session, limit, purged]);
  }

  message(session: SessionAddress, id: MessageId): ReturnType<SessionFiles['message']> {
    return this.ask(session, 'message', [session, id]);
  }

  states(session: SessionAddress, ids: readonly MessageId[]): ReturnType<SessionFiles['states']> {
    return this.ask(session, 'states', [session, ids]);
  }

  purge(session: SessionAddress, ids: readonly MessageId[], nowMs: number): ReturnType<SessionFiles['purge']> {
    return this.ask(session, 'purge', [session, ids, nowMs]);
  }

  replies(session: SessionAddress, after: number, limit: number): ReturnType<SessionFiles['replies']> {
    return this.ask(session, 'replies', [session, after, limit]);
  }

  answersTo(session: SessionAddress, messages: readonly string[]): ReturnType<SessionFiles['answersTo']> {
    return this.ask(session, 'answersTo', [session, messages]);
  }

  series(session: SessionAddress, series: string | null): ReturnType<SessionFiles['series']> {
    return this.ask(session, 'series', [session, series]);
  }

  occurrences(session: SessionAddress, series: string, limit: number): ReturnType<SessionFiles['occurrences']> {
    return this.ask(session, 'occurrences', [session, series, limit]);
  }

  changeSeries(session: SessionAddress, change: SeriesChange): ReturnType<SessionFiles['changeSeries']> {
    return this.ask(session, 'changeSeries', [session, change]);
  }

  readAttachment(
    session: SessionAddress,
    part: Parameters<SessionFiles['readAttachment']>[1],
  ): ReturnType<SessionFiles['readAttachment']> {
    return this.ask(session, 'readAttachment', [session, part]);
  }

  removeMessageFiles(session: SessionAddress, files: MessageFiles): ReturnType<SessionFiles['removeMessageFiles']> {
    return this.ask(session, 'removeMessageFiles', [session, files]);
  }

  stray(session: SessionAddress): ReturnType<SessionFiles['stray']> {
    return this.ask(session, 'stray', [session], 'slow');
  }

  archive(session: SessionAddress, nowMs: number): ReturnType<SessionFiles['archive']> {
    return this.ask(session, 'archive', [session, nowMs], 'slow');
  }

  measure(session: SessionAddress): ReturnType<SessionFiles['measure']> {
    return this.ask(session, 'measure', [session], 'slow');
  }

  prunable(session: SessionAddress, limits: PruneLimits): ReturnType<SessionFiles['prunable']> {
    return this.ask(session, 'prunable', [session, limits], 'slow');
  }

  prune(session: SessionAddress, ids: readonly MessageId[]): ReturnType<SessionFiles['prune']> {
    return this.ask(session, 'prune', [session, ids], 'slow');
  }

  artifacts(
    session: SessionAddress,
    folders: readonly ArtifactFolder[],
    from: number,
  ): ReturnType<SessionFiles['artifacts']> {
    return this.ask(session, 'artifacts', [session, folders, from], 'slow');
  }

  resumeIds(session: SessionAddress, without: readonly string[] = []): ReturnType<SessionFiles['resumeIds']> {
    return this.ask(session, 'resumeIds', [session, without], 'slow');
  }

  removeArtifacts(
    session: SessionAddress,
    artifacts: readonly DoomedArtifact[],
    liveIds: readonly string[],
  ): ReturnType<SessionFiles['removeArtifacts']> {
    return this.ask(session, 'removeArtifacts', [session, artifacts, liveIds], 'slow');
  }

  async remove(session: SessionAddress): ReturnType<SessionFiles['remove']> {
    const outcome = await this.ask(session, 'remove', [session], 'slow');
    if (outcome.kind !== 'ok') return outcome;
    if (outcome.left !== null) this.leftBehind(session, outcome.left.folder, outcome.left.detail);
    return { kind: 'ok' };
  }
}

const DISK_FULL = /^(ENOSPC|EDQUOT|SQLITE_FULL)/;

/** An error of a child's as people see it. */
export function faultError(fault: Fault, what: string): NightporterError {
  const cause = Object.assign(new Error(fault.message), { code: fault.code });
  const where = fault.path === undefined ? '' : ` (${fault.path})`;
  if (fault.code !== undefined && DISK_FULL.test(fault.code)) {
    return new DiskFull(`no space left for ${what}${where}: free some space; it is tried again`, { cause });
  }
  return new NightporterError('failed', `${what} failed${where}: ${fault.message}`, { cause });
}
