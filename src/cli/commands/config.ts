import type { Command } from 'commander';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { printJson } from '../print.js';
import { oneLine } from '../text/plain.js';

export function addConfig(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('config'))
    .description('the settings in effect and where each comes from; secrets are hidden')
    .addHelpText('after', examples('nightporter config', "nightporter config --json | jq '.MAX_TRIES.value'"))
    .action(() =>
      cli.run(command, async (context) => {
        const rows = await (await context.host()).showSettings(context);
        if (context.json) {
          const entries = rows.map(({ name, ...facts }) => [name, facts] as const);
          await printJson(context.output, Object.fromEntries(entries));
          return 0;
        }
        const width = Math.max(...rows.map(({ name }) => name.length));
        const lines = rows.map(({ name, shown, source }) => {
          const from = source === 'default' ? '' : `  (${source})`;
          return `${name.padEnd(width)}  ${oneLine(shown)}${from}\n`;
        });
        await context.output.write(lines.join(''));
        return 0;
      }),
    );
}
