import type { StartOptions } from '../cli/host.js';
import type { Settings } from '../config.js';
import { cleanStaging } from '../desk/stage-attachment.js';
import { serveHttp } from '../http/server.js';
import type { Logger } from '../observe/logs.js';
import { openRegistry } from '../store/registry/open-registry.js';
import { systemClock } from '../system.js';
import { assemble, decideRuntime, logFor, packageVersion, settingsOf } from './assembly.js';
import type { Assembled } from './assembly.js';

/** How long the first round may take before the desk is opened without it. */
const SERVE_AFTER_MS = 3_000;

/** Under the host lock, in the foreground, until TERM or INT, or until it was drained. Resolves with the exit code. */
export async function runDaemon(options: StartOptions): Promise<number> {
  const settings = settingsOf(options);
  const log = logFor(settings, 'daemon');
  const stopping = stopSignal(log);
  try {
    return await runUnderLock(options.dataDir, settings, log, stopping);
  } finally {
    stopping.dispose();
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
  { desk, rounds, upkeep }: Assembled,
  settings: Settings,
  log: Logger,
  stopping: StopSignal,
): Promise<void> {
  const starting = rounds.start();
  await Promise.race([starting, stopping.requested, later(SERVE_AFTER_MS)]);
  if (stopping.isRequested()) return;
  void cleanStaging(desk);
  upkeep.start();
  const server = await serveHttp({ desk });
  log.info({ socket: server.socketPath }, 'ready');
  try {
    await stopping.requested;
    if (settings.stopMode === 'drain') await rounds.drain();
  } finally {
    await server.close();
  }
}

function later(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(delayMs, resolve);
  });
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
