import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Desk, RuntimeQuestions } from '../../src/desk/desk.js';
import { createLog } from '../../src/observe/logs.js';
import type { Registry } from '../../src/ports/registry.js';
import type { Rounds, RoundsState, SweepReport } from '../../src/ports/rounds.js';
import type { SessionFiles } from '../../src/ports/session-files.js';
import { openDataDir } from '../../src/store/data-dir.js';
import { openRegistry } from '../../src/store/registry/open-registry.js';
import { PooledSessionFiles } from '../../src/store/session-files/pooled-session-files.js';
import { StagingFolder } from '../../src/store/staging.js';
import { systemClock, systemRandom } from '../../src/system.js';
import { built } from './built.js';

export interface DeskFixture {
  readonly dataDir: string;
  readonly desk: Desk;
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly rounds: StandInRounds;
  /** Spool into inbound.db, and what is found there into the registry: what a look does. */
  look(session: string): Promise<void>;
  close(): Promise<void>;
}

export interface DeskFixtureOptions {
  readonly dataDir?: string;
  readonly messageMaxBytes?: number;
  readonly attachmentMaxBytes?: number;
  /** false: as without a daemon. */
  readonly daemon?: boolean;
  readonly runtime?: RuntimeQuestions;
}

export function makeDataDir(name = 'desk'): string {
  return realpathSync(mkdtempSync(join(tmpdir(), `nightporter-${name}-`)));
}

/** A desk over a real registry and real session files; only the rounds are a stand-in. */
export function openDeskFixture(options: DeskFixtureOptions = {}): DeskFixture {
  const dataDir = openDataDir(options.dataDir ?? makeDataDir());
  const registry = openRegistry({ dataDir, mode: 'write' });
  const files = new PooledSessionFiles({
    dataDir,
    childEntry: built('src/store/worker/child.js'),
    workers: 1,
    deadlineMs: 5_000,
    outboundMaxBytes: 1024 ** 3,
    outOwner: undefined,
    attachments: { maxBytes: options.attachmentMaxBytes ?? 64 * 1024 * 1024, max: 3 },
  });
  const rounds = new StandInRounds();
  const desk: Desk = {
    registry,
    files,
    nanoclaw: files.nanoclaw,
    rounds: options.daemon === false ? null : rounds,
    upkeep: null,
    runtime: options.runtime ?? null,
    clock: systemClock,
    random: systemRandom,
    staging: new StagingFolder(dataDir),
    settings: () => ({
      dataDir,
      timezone: 'UTC',
      messageMaxBytes: options.messageMaxBytes ?? 16 * 1024 * 1024,
      attachmentMaxBytes: options.attachmentMaxBytes ?? 64 * 1024 * 1024,
      attachmentsMax: 3,
    }),
    reloadSettings: null,
    log: createLog('silent'),
    requestStop: () => {
      rounds.stopRequests += 1;
    },
  };
  return {
    dataDir,
    desk,
    registry,
    files,
    rounds,
    look: (session) => lookAt(desk, session),
    close: async () => {
      await files.close();
      registry.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function lookAt({ registry, files, clock }: Desk, text: string): Promise<void> {
  const record = [...registry.eachSession()].find(({ address }) => address === text);
  if (record === undefined) throw new Error(`no session ${text}`);
  const messages = registry.spooled(record.address, 1000);
  await files.deliver(record.address, messages);
  registry.unspool(
    record.address,
    messages.map(({ id }) => id),
  );
  const found = await files.look(record.address, { nowMs: clock.now(), lane: 'normal' });
  if (found.kind !== 'ok') throw new Error(`look: ${found.kind}`);
  const { counts, signature, lastActiveMs, due, liveSeries } = found;
  registry.recordLook(record.address, { counts, signature, lastActiveMs, liveSeries, nextDueAtMs: due.oldestDueAtMs });
}

/** Rounds that note what they are asked, and answer what they are told to. */
export class StandInRounds implements Rounds {
  readonly hints: string[] = [];
  readonly sweeps: { readonly dryRun: boolean }[] = [];
  stopRequests = 0;
  interrupted: Awaited<ReturnType<Rounds['drain']>>['interrupted'] = [];
  report: SweepReport = { startedAtMs: 0, durationMs: 1.6, swept: 2, skipped: 3, errors: 0, actions: [] };
  current: RoundsState = {
    runtime: { kind: 'process', state: 'up', description: 'processes', downSinceMs: null },
    running: [],
    waiting: 0,
    draining: false,
    lastSweep: null,
    unrecordedNotices: [],
  };

  hint(session: string): void {
    this.hints.push(session);
  }
  sweep(options: { readonly dryRun: boolean }): Promise<SweepReport> {
    this.sweeps.push(options);
    return Promise.resolve(this.report);
  }
  drain(): ReturnType<Rounds['drain']> {
    return Promise.resolve({ stopped: 1, interrupted: this.interrupted });
  }
  state(): RoundsState {
    return this.current;
  }
  undisturbed<T>(_session: string, work: () => Promise<T>): Promise<T> {
    return work();
  }
}

export async function* chunksOf(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}
