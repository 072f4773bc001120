import { join } from 'node:path';
import { HEARTBEAT_FILE, OUTBOUND_FILE } from '../../../src/protocol/workspace.js';
import { Heartbeat } from './heartbeat.js';
import { createLog } from './log.js';
import { Loop } from './loop.js';
import { Outbound, OutboundUnusable, Superseded } from './outbound.js';
import { persist } from './persist.js';
import { createProviders } from './providers.js';
import { readSettings } from './settings.js';

/**
 * How the runner ends:
 * - 0: idle for NIGHTPORTER_IDLE_MS, or told to stop (TERM, INT): the turn that ran is finished or its claims are released;
 * - 1: an error of the runner itself; claims stay, the host settles them;
 * - 64: the environment is missing something or wrong, or asks for another protocol;
 * - 66: outbound.db is missing or is not one that the host made;
 * - 74: outbound.db could not be written to the end of the stop's grace;
 * - 75: another incarnation took this one's claims over; nothing was written;
 * - 143: a second TERM or INT.
 */
const EXIT = { done: 0, failed: 1, usage: 64, noInput: 66, ioError: 74, superseded: 75, killed: 143 } as const;

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(EXIT.killed);
    stop.abort();
  });
}

process.exit(await main());

async function main(): Promise<number> {
  const result = readSettings(process.env);
  if (!result.ok) {
    createLog({}).error('wrong environment', { problems: result.problems.join('; ') });
    return EXIT.usage;
  }
  const { settings } = result;
  const log = createLog({ session: settings.session, epoch: settings.epoch });
  const heartbeat = new Heartbeat(join(settings.workspace, HEARTBEAT_FILE), settings.heartbeatMs, log);
  try {
    heartbeat.start();
    const outbound = new Outbound(join(settings.workspace, OUTBOUND_FILE), settings);
    await persist(
      () => {
        outbound.check();
      },
      { stop: stop.signal, graceMs: 0, log },
    );
    const providers = await createProviders(settings, log);
    const end = await new Loop({ settings, outbound, providers, log, stop: stop.signal }).run();
    log.info('runner ends', { reason: end });
    return EXIT.done;
  } catch (error) {
    log.error('runner failed', { err: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    return exitCodeOf(error);
  } finally {
    heartbeat.stop();
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Superseded) return EXIT.superseded;
  if (error instanceof OutboundUnusable) return EXIT.noInput;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('SQLITE_') ? EXIT.ioError : EXIT.failed;
}
