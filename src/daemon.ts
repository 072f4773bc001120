import { describeSettings } from './config/reference.js';
import type { Host, HostOptions, StartOptions, SweepOptions } from './cli/host.js';
import { serveHttp } from './http/server.js';
import { NightporterError } from './protocol/errors.js';
import { openDataDir } from './store/data-dir.js';
import { acquireHostLock } from './store/host-lock.js';
import type { HostLock } from './store/host-lock.js';
import { openRegistry } from './store/registry/open-registry.js';
import type { Registry } from './ports/registry.js';
import {
  assemble,
  decideRuntime,
  logFor,
  openDeskOn,
  openFiles,
  openRuntime,
  packageVersion,
  settingsOf,
} from './daemon/assembly.js';
import { systemClock } from './system.js';
import type { Assembled } from './daemon/assembly.js';
import type { Settings } from './config.js';
import type { Logger } from './observe/logs.js';
import type { RuntimeKind } from './runtime/choose-runtime.js';

/** How long the first round may take before the desk is opened without it. */
const SERVE_AFTER_MS = 3_000;

/** The composition root, as the command line needs it. */
export function createHost(): Host {
  return { startDaemon, openDesk, sweepOnce, showSettings };
}

/** Runs in the foreground until TERM or INT, or until it was drained. Resolves with the exit code. */
async function startDaemon(options: StartOptions): Promise<number> {
  const settings = settingsOf(options);
  const dataDir = openDataDir(options.dataDir);
  const lock = acquireHostLock(dataDir);
  if (lock.kind === 'taken') throw alreadyRunning(dataDir, lock.by);
  const log = logFor(settings, 'daemon');
  const stopping = stopSignal(log);
  try {
    return await runUnderLock(dataDir, settings, log, stopping);
  } finally {
    stopping.dispose();
    lock.release();
  }
}

async function runUnderLock(dataDir: string, settings: Settings, log: Logger, stopping: StopSignal): Promise<number> {
  const registry = openRegistry({ dataDir, mode: 'write' });
  try {
    const kind = decideRuntime(settings, registry, log, { record: true });
    log.info({ version: packageVersion(), pid: process.pid, dataDir, runtime: kind }, 'starting');
    const assembled = await assemble(kind, dataDir, settings, registry, log, stopping.request);
    try {
      await serve(assembled, settings, log, stopping);
    } finally {
      await assembled.close();
    }
    log.info('stopped');
    return 0;
  } finally {
    registry.close();
  }
}

/**
 * State is the runtime's list before anything is served; but messages are accepted although the engine hangs (status
 * says then that its state is unknown).
 */
async function serve(
  { desk, rounds }: Assembled,
  settings: Settings,
  log: Logger,
  stopping: StopSignal,
): Promise<void> {
  const starting = rounds.start();
  await Promise.race([starting, stopping.requested, later(SERVE_AFTER_MS)]);
  if (stopping.isRequested()) return;
  const server = await serveHttp({ desk });
  log.info({ socket: server.socketPath }, 'ready');
  try {
    await stopping.requested;
    if (settings.stopMode === 'drain') await rounds.drain();
  } finally {
    await server.close();
  }
}

/** The desk of a data dir without a daemon: reading opens nothing for writing, writing holds the lock. */
function openDesk(mode: 'read' | 'write', options: HostOptions): ReturnType<Host['openDesk']> {
  return Promise.resolve().then(() => {
    const settings = settingsOf({ ...options, runtime: undefined });
    const log = logFor(settings, 'command');
    const lock = mode === 'write' ? acquireHostLock(options.dataDir) : undefined;
    if (lock?.kind === 'taken') return { kind: 'locked', holder: lock.by ?? 'another process' };
    const registry = openLocked(lock, () => openRegistry({ dataDir: options.dataDir, mode }));
    const recorded = registry.readFact('runtime');
    const kind = recorded === 'docker' || recorded === 'process' ? recorded : undefined;
    const files = openFiles(options.dataDir, settings, kind ?? null, log);
    const runtime = kind === undefined ? null : openRuntime(kind, options.dataDir, settings, registry, log);
    const desk = openDeskOn(options.dataDir, settings, registry, files, log, {
      rounds: null,
      runtime,
      requestStop: () => undefined,
    });
    return {
      kind: 'open',
      desk,
      async close() {
        await files.close();
        await runtime?.close();
        registry.close();
        lock?.release();
      },
    };
  });
}

/** One round by itself, over every session; what it starts goes on and is adopted by the next start. */
async function sweepOnce(options: SweepOptions): ReturnType<Host['sweepOnce']> {
  const settings = settingsOf(options);
  const lock = acquireHostLock(options.dataDir);
  if (lock.kind === 'taken') return { kind: 'locked', holder: lock.by ?? 'another process' };
  const log = logFor(settings, 'command');
  try {
    const registry = openRegistry({ dataDir: options.dataDir, mode: 'write' });
    try {
      const kind: RuntimeKind = decideRuntime(settings, registry, log, { record: false });
      const assembled = await assemble(kind, options.dataDir, settings, registry, log, () => undefined);
      try {
        const report = options.dryRun
          ? await assembled.rounds.sweep({ dryRun: true })
          : await roundAndWhatItBegan(assembled.rounds);
        return { kind: 'swept', report: report };
      } finally {
        await assembled.close();
      }
    } finally {
      registry.close();
    }
  } finally {
    lock.release();
  }
}

async function roundAndWhatItBegan(rounds: Assembled['rounds']): ReturnType<Assembled['rounds']['tick']> {
  const report = await rounds.tick({ everySession: true });
  await rounds.settled();
  return report;
}

function showSettings(options: HostOptions): ReturnType<Host['showSettings']> {
  return Promise.resolve().then(() => describeSettings(settingsOf({ ...options, runtime: undefined })));
}

function openLocked(lock: HostLock | undefined, open: () => Registry): Registry {
  try {
    return open();
  } catch (error) {
    if (lock?.kind === 'held') lock.release();
    throw error;
  }
}

function later(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(delayMs, resolve);
  });
}

function alreadyRunning(dataDir: string, by: string | undefined): NightporterError {
  return new NightporterError(
    'refused',
    `another Nightporter (${by ?? 'unknown process'}) holds the data dir ${dataDir}: stop it first, or name another one with --data-dir`,
  );
}

interface StopSignal {
  readonly requested: Promise<void>;
  readonly request: () => void;
  isRequested(): boolean;
  dispose(): void;
}

/** The first TERM or INT asks for an orderly end, a second one leaves at once. */
function stopSignal(log: Logger): StopSignal {
  let isRequested = false;
  let resolve: () => void = () => undefined;
  const requested = new Promise<void>((done) => {
    resolve = done;
  });
  const request = (): void => {
    isRequested = true;
    resolve();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isRequested) {
      log.warn({ signal }, 'leaving at once');
      process.exit(1);
    }
    log.info({ signal }, 'stopping');
    request();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    requested,
    request,
    isRequested: () => isRequested,
    dispose() {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}
