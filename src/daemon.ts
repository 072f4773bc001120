import type { Host, StartOptions } from './cli/host.js';
import { NightporterError } from './protocol/errors.js';
import { openDataDir } from './store/data-dir.js';
import { acquireHostLock } from './store/host-lock.js';

/** The composition root, as the command line needs it. What is heavy is loaded when it is known to be needed. */
export function createHost(): Host {
  return {
    startDaemon,
    openDesk: async (mode, options) => (await import('./daemon/alone.js')).openDesk(mode, options),
    sweepOnce: async (options) => (await import('./daemon/alone.js')).sweepOnce(options),
    collectOnce: async (options) => (await import('./daemon/alone.js')).collectOnce(options),
    showSettings: async (options) => (await import('./daemon/alone.js')).showSettings(options),
    checkSettings: async (options) => (await import('./daemon/alone.js')).checkSettings(options),
    examine: async (options) => (await import('./daemon/doctor.js')).examineInstall(options),
  };
}

/** The lock comes first: a second daemon has to leave within a second. */
async function startDaemon(options: StartOptions): Promise<number> {
  const dataDir = openDataDir(options.dataDir);
  const lock = acquireHostLock(dataDir);
  if (lock.kind === 'taken') throw alreadyRunning(dataDir, lock.by);
  try {
    const { runDaemon } = await import('./daemon/run-daemon.js');
    return await runDaemon({ ...options, dataDir });
  } finally {
    lock.release();
  }
}

function alreadyRunning(dataDir: string, by: string | undefined): NightporterError {
  return new NightporterError(
    'refused',
    `another Nightporter (${by ?? 'unknown process'}) holds the data dir ${dataDir}: stop it first, or name another one with --data-dir`,
  );
}
