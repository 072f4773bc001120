import type { CollectOptions, Host, HostOptions, LockTaken, StartOptions, SweepOptions } from '../cli/host.js';
import { WrongSettings } from '../config/load.js';
import { describeSettings } from '../config/reference.js';
import { acquireHostLock } from '../store/host-lock.js';
import { openRegistry } from '../store/registry/open-registry.js';
import { assemble, decideRuntime, logFor, openDeskOn, openFiles, openRuntime } from './assembly.js';
import type { Assembled, Controls } from './assembly.js';
import { settingsOf } from './read-settings.js';

const NO_DAEMON: Controls = { requestStop: () => undefined, reloadSettings: null };

/** The desk of a data dir without a daemon: reading opens nothing for writing, writing holds the lock. */
export async function openDesk(mode: 'read' | 'write', options: HostOptions): ReturnType<Host['openDesk']> {
  const { dataDir } = options;
  const settings = settingsOf({ ...options, runtime: undefined });
  const log = logFor(() => settings, 'command');
  const lock = mode === 'write' ? acquireHostLock(dataDir) : undefined;
  if (lock?.kind === 'taken') return { kind: 'locked', holder: lock.by ?? 'another process' };
  const closers: (() => void | Promise<void>)[] = [() => lock?.release()];
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    const registry = openRegistry({ dataDir, mode });
    closers.push(() => {
      registry.close();
    });
    const recorded = registry.readFact('runtime');
    const kind = recorded === 'docker' || recorded === 'process' ? recorded : undefined;
    const files = openFiles(dataDir, settings, kind ?? null, log);
    closers.push(() => files.close());
    const runtime = kind === undefined ? null : await openRuntime(kind, dataDir, settings, registry, log);
    closers.push(() => runtime?.close());
    const desk = openDeskOn(dataDir, () => settings, registry, files, log, {
      rounds: null,
      upkeep: null,
      runtime,
      ...NO_DAEMON,
    });
    return { kind: 'open', desk, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One round by itself, over every session; what it starts goes on and is adopted by the next start. */
export async function sweepOnce(options: SweepOptions): ReturnType<Host['sweepOnce']> {
  return underLock(options, async ({ rounds }) => ({
    kind: 'swept',
    report: options.dryRun ? await rounds.sweep({ dryRun: true }) : await roundAndWhatItBegan(rounds),
  }));
}

/** Upkeep by itself: it starts no container, and asks the runtime what runs. */
export async function collectOnce(options: CollectOptions): ReturnType<Host['collectOnce']> {
  return underLock({ ...options, runtime: undefined }, async ({ upkeep }) => ({
    kind: 'collected',
    report: await upkeep.collect({ dryRun: options.dryRun, archive: options.archive }),
  }));
}

async function underLock<T>(options: StartOptions, work: (assembled: Assembled) => Promise<T>): Promise<T | LockTaken> {
  const settings = settingsOf(options);
  const lock = acquireHostLock(options.dataDir);
  if (lock.kind === 'taken') return { kind: 'locked', holder: lock.by ?? 'another process' };
  const log = logFor(() => settings, 'command');
  try {
    const registry = openRegistry({ dataDir: options.dataDir, mode: 'write' });
    try {
      const kind = decideRuntime(settings, registry, log, { record: false });
      const assembled = await assemble(kind, options.dataDir, () => settings, registry, log, NO_DAEMON);
      try {
        return await work(assembled);
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

export function showSettings(options: HostOptions): ReturnType<Host['showSettings']> {
  return Promise.resolve().then(() => describeSettings(settingsOf({ ...options, runtime: undefined })));
}

export function checkSettings(options: HostOptions): ReturnType<Host['checkSettings']> {
  return Promise.resolve().then(() => {
    try {
      const { warnings } = settingsOf({ ...options, runtime: undefined });
      return { problems: [], warnings };
    } catch (error) {
      if (!(error instanceof WrongSettings)) throw error;
      const { problems, warnings } = error;
      return { problems, warnings };
    }
  });
}
