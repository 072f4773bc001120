import type { Command } from 'commander';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon, requireDataDir } from '../connect.js';
import { printJson } from '../print.js';

/** The daemon answers first, then leaves: its writes are finished by then, and its containers are gone. */
const LEAVING_MAX_MS = 15_000;
const POLL_MS = 50;

export function addDrain(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('drain'))
    .description('start nothing more, let running turns finish, stop the containers, end the daemon')
    .addHelpText('after', examples('nightporter drain && reboot'))
    .action(() =>
      cli.run(command, async (context) => {
        const daemon = await findDaemon(context);
        if (daemon === undefined) {
          requireDataDir(context.dataDir);
          throw new NightporterError('unavailable', `no daemon runs on ${context.dataDir}: there is nothing to drain`);
        }
        const view = await daemon.api.drain();
        await untilGone(daemon.pid);
        if (context.json) await printJson(context.output, view);
        else await context.output.write(`drained: ${view.stopped} containers stopped\n`);
        if (view.interrupted.length === 0) return 0;
        throw new NightporterError(
          'failed',
          `turns were not finished in time (DRAIN_TIMEOUT_MS) and will be tried again: ${view.interrupted.join(', ')}`,
        );
      }),
    );
}

/** So that a start, or whatever is typed after `&&`, meets no daemon any more. */
async function untilGone(pid: number): Promise<void> {
  const deadlineMs = performance.now() + LEAVING_MAX_MS;
  while (isThere(pid) && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
