import type { Command } from 'commander';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import { printJson } from '../print.js';
import { statusText } from '../text/status-text.js';

export function addStatus(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('status'))
    .description('how things stand: runtime, sessions, messages, containers, last round, what needs attention')
    .addHelpText('after', examples('nightporter status', "nightporter status --json | jq '.messages.failed'"))
    .action(() =>
      cli.run(command, async (context) => {
        const desk = await openForReading(context);
        try {
          const view = await desk.api.status();
          if (context.json) await printJson(context.output, view);
          else await context.output.write(statusText(view, { columns: context.output.columns, nowMs: Date.now() }));
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}
