import type { Command } from 'commander';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon, requireDataDir } from '../connect.js';
import { printJson } from '../print.js';

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
