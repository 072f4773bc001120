import type { Host, HostOptions, SweepOptions } from '../cli/host.js';
import { describeSettings } from '../config/reference.js';
import type { Registry } from '../ports/registry.js';
import { acquireHostLock } from '../store/host-lock.js';
import type { HostLock } from '../store/host-lock.js';
import { openRegistry } from '../store/registry/open-registry.js';
import { assemble, decideRuntime, logFor, openDeskOn, openFiles, openRuntime, settingsOf } from './assembly.js';
import type { Assembled } from './assembly.js';

/** The desk of a data dir without a daemon: reading opens nothing for writing, writing holds the lock. */
export function openDesk(mode: 'read' | 'write', options: HostOptions): ReturnType<Host['openDesk']> {
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
export async function sweepOnce(options: SweepOptions): ReturnType<Host['sweepOnce']> {
  const settings = settingsOf(options);
  const lock = acquireHostLock(options.dataDir);
  if (lock.kind === 'taken') return { kind: 'locked', holder: lock.by ?? 'another process' };
  const log = logFor(settings, 'command');
  try {
    const registry = openRegistry({ dataDir: options.dataDir, mode: 'write' });
    try {
      const kind = decideRuntime(settings, registry, log, { record: false });
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

export function showSettings(options: HostOptions): ReturnType<Host['showSettings']> {
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
