import type { StartOptions } from '../cli/host.js';
import type { Reload } from '../config/reload.js';
import type { Settings } from '../config.js';
import { cleanImports } from '../desk/import/clean-imports.js';
import { cleanStaging } from '../desk/stage-attachment.js';
import { serveHttp } from '../http/server.js';
import { createMetrics } from '../observe/metrics.js';
import type { Logger } from '../observe/logs.js';
import { openRegistry } from '../store/registry/open-registry.js';
import { systemClock } from '../system.js';
import { assemble, decideRuntime, logFor, packageVersion } from './assembly.js';
import type { Assembled } from './assembly.js';
import { LiveSettings } from './live-settings.js';
import { settingsAgain, settingsOf } from './read-settings.js';
import { reloadAndTell, reloadOnHangup } from './reload.js';

/** How long the first round may take before the desk is opened without it. */
const SERVE_AFTER_MS = 3_000;

/** Under the host lock, in the foreground, until TERM or INT, or until it was drained. Resolves with the exit code. */
export async function runDaemon(options: StartOptions): Promise<number> {
  const live = new LiveSettings(settingsOf(options), (before) => settingsAgain(options, before));
  const log = logFor(live.current, 'daemon');
  const stopping = stopSignal(log);
  const hangup = reloadOnHangup(live, log);
  try {
    return await runUnderLock(options.dataDir, live, log, stopping);
  } finally {
    hangup.dispose();
    stopping.dispose();
  }
}

async function runUnderLock(dataDir: string, live: LiveSettings, log: Logger, stopping: StopSignal): Promise<number> {
  const registry = openRegistry({ dataDir, mode: 'write' });
  try {
    const kind = decideRuntime(live.current(), registry, log, { record: true });
    log.info({ version: packageVersion(), pid: process.pid, dataDir, runtime: kind }, 'starting');
    const reloadSettings = (): Reload => reloadAndTell(live, log);
    const controls = { requestStop: stopping.request, reloadSettings };
    const assembled = await assemble(kind, dataDir, live.current, registry, log, controls);
    live.onChange(() => {
      assembled.rounds.settingsChanged();
      assembled.upkeep.settingsChanged();
    });
    try {
      await serve(assembled, live.current, log, stopping);
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
  settings: () => Settings,
  log: Logger,
  stopping: StopSignal,
): Promise<void> {
  const starting = rounds.start();
  await Promise.race([starting, stopping.requested, later(SERVE_AFTER_MS)]);
  if (stopping.isRequested()) return;
  void cleanStaging(desk);
  void cleanImports(desk);
  upkeep.start();
  const server = await serveHttp({ desk, metrics: createMetrics(desk.registry) });
  log.info({ socket: server.socketPath }, 'ready');
  try {
    await stopping.requested;
    if (settings().stopMode === 'drain') await rounds.drain();
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
