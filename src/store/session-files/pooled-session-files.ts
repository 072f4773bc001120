import { realpathSync } from 'node:fs';
import type { MessageId, SessionAddress } from '../../protocol/address.js';
import { NightporterError } from '../../protocol/errors.js';
import { LoopTurns } from '../../protocol/loop-turns.js';
import type { Lane } from '../../ports/session-files.js';
import type { Nanoclaw } from '../../ports/nanoclaw.js';
import { PooledNanoclaw } from '../nanoclaw/pooled-nanoclaw.js';
import type { CallEnd } from '../worker/file-child.js';
import { WorkerLedger } from '../worker/ledger.js';
import { ChildPool, type WorkerLog } from '../worker/pool.js';
import type { FilesSettings, Owner } from './open-database.js';
import type { AttachmentLimits } from './outbox.js';
import { faultError, OperatedSessionFiles } from './operated-session-files.js';
import type { Busy, SessionOperation } from './operated-session-files.js';
import type { Operations } from './operations.js';

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
const IDS_LOGGED = 20;

/** The session files, touched only in child processes. Children are started when there is something to do. */
export class PooledSessionFiles extends OperatedSessionFiles {
  readonly #lanes: Readonly<Record<Lane, ChildPool>>;
  readonly #log: WorkerLog | undefined;
  readonly #started: Promise<unknown>;
  /** Foreign installations are read by the same children. */
  readonly nanoclaw: Nanoclaw = new PooledNanoclaw(async (operation, params) => {
    await this.#started;
    return this.#lanes.slow.run(operation, params);
  });
  /** Sessions whose last call ended busy: they wait for each other, not the others for them. */
  readonly #troubled = new Set<SessionAddress>();

  constructor(options: PooledSessionFilesOptions) {
    super();
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

  override async signatures(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    await this.#started;
    const batches: Promise<readonly (string | null)[]>[] = [];
    for (let from = 0; from < sessions.length; from += SIGNATURES_PER_CALL) {
      batches.push(this.#signaturesOf(sessions.slice(from, from + SIGNATURES_PER_CALL)));
    }
    return (await Promise.all(batches)).flat();
  }

  override async folders(): Promise<readonly SessionAddress[]> {
    await this.#started;
    const end = await this.#lanes.slow.run('folders', []);
    if (end.kind === 'result') return end.value as ReturnType<Operations['folders']>;
    if (end.kind === 'fault') throw faultError(end.fault, 'listing the folders of sessions');
    throw new NightporterError('failed', `the folders of sessions could not be listed: ${end.detail}`);
  }

  override async close(): Promise<void> {
    await this.#started;
    await Promise.all([this.#lanes.normal.close(), this.#lanes.slow.close()]);
  }

  protected override async ask<Name extends SessionOperation>(
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

  protected override now(): number {
    return Date.now();
  }

  protected override lost(session: SessionAddress, count: number): void {
    this.#log?.warn({ session, count }, 'attachments vanished before they were delivered');
  }

  protected override leftBehind(session: SessionAddress, folder: string, detail: string): void {
    this.#log?.error(
      { session, folder, detail },
      'files of a deleted session cannot be deleted: remove the folder by hand',
    );
  }

  protected override undelivered(session: SessionAddress, ids: readonly MessageId[]): void {
    const shown = ids.slice(0, IDS_LOGGED);
    this.#log?.warn(
      { session, count: ids.length, messages: shown },
      'messages were not delivered: others in the file have their ids',
    );
  }

  async #signaturesOf(sessions: readonly SessionAddress[]): Promise<readonly (string | null)[]> {
    const params: Parameters<Operations['signatures']> = [sessions];
    const end = await this.#lanes.normal.run('signatures', params);
    if (end.kind === 'result') return end.value as ReturnType<Operations['signatures']>;
    if (end.kind === 'fault') throw faultError(end.fault, 'reading the signatures of session files');
    throw new NightporterError('failed', `the signatures of session files could not be read: ${end.detail}`);
  }
}

function lost(end: Extract<CallEnd, { readonly kind: 'killed' | 'died' }>): Busy {
  return { kind: 'busy', file: 'session files', detail: end.detail };
}
