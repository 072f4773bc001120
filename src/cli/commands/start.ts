import { Option } from 'commander';
import type { Command } from 'commander';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import type { RuntimeChoice } from '../host.js';
import { RUNTIME_CHOICES } from '../host.js';

export function addStart(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('start'))
    .description('run the daemon in the foreground')
    .addOption(
      new Option('--runtime <runtime>', 'what runs the containers; auto is decided once and kept').choices(
        RUNTIME_CHOICES,
      ),
    )
    .addHelpText(
      'after',
      examples(
        'nightporter start --data-dir ./data',
        'nightporter start --data-dir ./data --runtime process',
        'NIGHTPORTER_SWEEP_INTERVAL_MS=5000 nightporter start',
      ),
    )
    .action((options: { readonly runtime?: RuntimeChoice }) =>
      cli.run(command, async (context) => {
        const { dataDir, configFile } = context;
        return (await context.host()).startDaemon({ dataDir, configFile, runtime: options.runtime });
      }),
    );
}
