import { realpathSync } from 'node:fs';
import type { MessageId, SessionAddress } from '../../protocol/address.js';
import { DiskFull, NightporterError } from '../../protocol/errors.js';
import { LoopTurns } from '../../protocol/loop-turns.js';
import type { MessageChange } from '../../protocol/rows.js';
import type { SeriesChange } from '../../ports/series.js';
import type {
  CorruptFile,
  FilesOutcome,
  Lane,
  LookOptions,
  MessageFiles,
  NewMessage,
  SessionFiles,
  SettleStep,
} from '../../ports/session-files.js';
import type { CallEnd } from '../worker/file-child.js';
import { WorkerLedger } from '../worker/ledger.js';
import type { Fault } from '../worker/messages.js';
import { ChildPool, type WorkerLog } from '../worker/pool.js';
import type { FilesSettings, Owner } from './open-database.js';
import type { AttachmentLimits } from './outbox.js';
import type { OperationName, Operations } from './operations.js';

export interface PooledSessionFilesOptions {
  /** An existing folder. */
  readonly dataDir: string;
  /** Absolute path of the compiled `store/worker/child.js`. */
  readonly childEntry: string;
  /** Children of the normal lane, at least 1 (FILE_WORKERS); the slow lane has one more. */
  readonly workers: number;
  /** A call takes at most this long once a child works on it (FILE_DEADLINE_MS). */
  readonly deadlineMs: number;
  readonly outboundMaxBytes: number;
  /** Owner of what is made under out/; undefined: whoever runs the host. */
  readonly outOwner: Owner | undefined;
  /** ATTACHMENT_MAX_BYTES, ATTACHMENTS_MAX; default: theirs. */
  readonly attachments?: AttachmentLimits;
  readonly log?: WorkerLog;
  /** Shared with whoever else starts processes; default: its own. */
  readonly turns?: LoopTurns;
}

const SIGNATURES_PER_CALL = 500;

/** The session files, touched only in child processes. Children are started when there is something to do. */
export class PooledSessionFiles implements SessionFiles {
  readonly #lanes: Readonly<Record<Lane, ChildPool>>;
  readonly #log: WorkerLog | undefined;
  readonly #started: Promise<unknown>;
  /** Sessions whose last call ended busy: they wait for each other, not the others for them. */
  readonly #troubled = new Set<SessionAddress>();

  constructor(options: PooledSessionFilesOptions) {
    this.#log = options.log;
    const settings: FilesSettings = {
      dataDir: realpathSync(options.dataDir),
      outboundMaxBytes: options.outboundMaxBytes,
      outOwner: options.outOwner,
      attachments: options.attachments ?? { maxBytes: 64 * 1024 * 1024, max: 20 },
    };
    const turns = options.turns ?? new LoopTurns();
    const ledger = new WorkerLedger(settings.dataDir, options.log);
    const lane = (name: Lane, size: number): ChildPool =>
      new ChildPool({
        name,
        size,
        entry: options.childEntry,
        argument: JSON.stringify(settings),
        deadlineMs: options.deadlineMs,
        ledger,
        turns,
        log: options.log,
      });
    this.#lanes = { normal: lane('normal', options.workers), slow: lane('slow', 1) };
    this.#started = ledger.endLeftovers();
  }

  create(session: SessionAddress): Promise<FilesOutcome<Record<never, never>>> {
    return this.#ask(session, 'create', [session]);
  }

  async signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    await this.#started;
    const batches: Promise<readonly (string | null)[]>[] = [];
    for (let from = 0; from < sessions.length; from += SIGNATURES_PER_CALL) {
      batches.push(this.#signaturesOf(sessions.slice(from, from + SIGNATURES_PER_CALL)));
    }
    return (await Promise.all(batches)).flat();
  }

  async deliver(
    session: SessionAddress,
    messages: readonly NewMessage[],
  ): Promise<FilesOutcome<{ readonly inserted: number; readonly duplicates: number }>> {
    const outcome = await this.#ask(session, 'deliver', [session, messages]);
    if (outcome.kind === 'ok' && outcome.lostFiles > 0) {
      this.#log?.warn({ session, count: outcome.lostFiles }, 'attachments vanished before they were delivered');
    }
    return outcome;
  }

  look(
    session: SessionAddress,
    { nowMs, lane, containerGone, replays = [] }: LookOptions,
  ): ReturnType<SessionFiles['look']> {
    return this.#ask(session, 'look', [session, nowMs, containerGone === true, replays], lane);
  }

  change(session: SessionAddress, changes: readonly MessageChange[]): ReturnType<SessionFiles['change']> {
    return this.#ask(session, 'change', [session, changes, Date.now()]);
  }

  settle(session: SessionAddress, step: SettleStep): ReturnType<SessionFiles['settle']> {
    return this.#ask(session, 'settle', [session, step]);
  }

  prepareStart(session: SessionAddress, { nowMs, lane }: LookOptions): ReturnType<SessionFiles['prepareStart']> {
    return this.#ask(session, 'prepareStart', [session, nowMs], lane);
  }

  replaceCorrupt(session: SessionAddress, file: CorruptFile): ReturnType<SessionFiles['replaceCorrupt']> {
    return this.#ask(session, 'replaceCorrupt', [session, file, Date.now()]);
  }

  failed(
    session: SessionAddress,
    limit: number,
    { purged }: { readonly purged: boolean } = { purged: false },
  ): ReturnType<SessionFiles['failed']> {
    return this.#ask(session, 'failed', [session, limit, purged]);
  }

  message(session: SessionAddress, id: MessageId): ReturnType<SessionFiles['message']> {
    return this.#ask(session, 'message', [session, id]);
  }

  states(session: SessionAddress, ids: readonly MessageId[]): ReturnType<SessionFiles['states']> {
    return this.#ask(session, 'states', [session, ids]);
  }

  purge(session: SessionAddress, ids: readonly MessageId[], nowMs: number): ReturnType<SessionFiles['purge']> {
    return this.#ask(session, 'purge', [session, ids, nowMs]);
  }

  replies(session: SessionAddress, after: number, limit: number): ReturnType<SessionFiles['replies']> {
    return this.#ask(session, 'replies', [session, after, limit]);
  }

  series(session: SessionAddress, series: string | null): ReturnType<SessionFiles['series']> {
    return this.#ask(session, 'series', [session, series]);
  }

  occurrences(session: SessionAddress, series: string, limit: number): ReturnType<SessionFiles['occurrences']> {
    return this.#ask(session, 'occurrences', [session, series, limit]);
  }

  changeSeries(session: SessionAddress, change: SeriesChange): ReturnType<SessionFiles['changeSeries']> {
    return this.#ask(session, 'changeSeries', [session, change]);
  }

  readAttachment(
    session: SessionAddress,
    part: Parameters<SessionFiles['readAttachment']>[1],
  ): ReturnType<SessionFiles['readAttachment']> {
    return this.#ask(session, 'readAttachment', [session, part]);
  }

  removeMessageFiles(session: SessionAddress, files: MessageFiles): ReturnType<SessionFiles['removeMessageFiles']> {
    return this.#ask(session, 'removeMessageFiles', [session, files]);
  }

  remove(session: SessionAddress): ReturnType<SessionFiles['remove']> {
    return this.#ask(session, 'remove', [session]);
  }

  async close(): Promise<void> {
    await this.#started;
    await Promise.all([this.#lanes.normal.close(), this.#lanes.slow.close()]);
  }

  async #ask<Name extends Exclude<OperationName, 'signatures'>>(
    session: SessionAddress,
    operation: Name,
    params: Parameters<Operations[Name]>,
    lane: Lane = 'normal',
  ): Promise<ReturnType<Operations[Name]> | Busy> {
    await this.#started;
    const pool = lane === 'slow' || this.#troubled.has(session) ? this.#lanes.slow : this.#lanes.normal;
    const end = await pool.run(operation, params);
    if (end.kind === 'fault') throw faultError(end.fault, `${operation} ${session}`);
    const outcome = end.kind === 'result' ? (end.value as ReturnType<Operations[Name]>) : lost(end);
    if (outcome.kind === 'busy') this.#troubled.add(session);
    else this.#troubled.delete(session);
    return outcome;
  }

  async #signaturesOf(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    const params: Parameters<Operations['signatures']> = [sessions];
    const end = await this.#lanes.normal.run('signatures', params);
    if (end.kind === 'result') return end.value as ReturnType<Operations['signatures']>;
    if (end.kind === 'fault') throw faultError(end.fault, 'reading the signatures of session files');
    throw new NightporterError('failed', `the signatures of session files could not be read: ${end.detail}`);
  }
}

type Busy = Extract<FilesOutcome<unknown>, { readonly kind: 'busy' }>;

function lost(end: Extract<CallEnd, { readonly kind: 'killed' | 'died' }>): Busy {
  return { kind: 'busy', file: 'session files', detail: end.detail };
}

const DISK_FULL = /^(ENOSPC|EDQUOT|SQLITE_FULL)/;

/** An error of a child's as people see it. */
function faultError(fault: Fault, what: string): NightporterError {
  const cause = Object.assign(new Error(fault.message), { code: fault.code });
  const where = fault.path === undefined ? '' : ` (${fault.path})`;
  if (fault.code !== undefined && DISK_FULL.test(fault.code)) {
    return new DiskFull(`no space left for ${what}${where}: free some space; it is tried again`, { cause });
  }
  return new NightporterError('failed', `${what} failed${where}: ${fault.message}`, { cause });
}
