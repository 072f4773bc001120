import type { Command } from 'commander';
import { requireAddress } from '../../desk/input-texts.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import { printJson } from '../print.js';
import { plain } from '../text/plain.js';
import { incarnationText } from '../text/session-text.js';

export function addLogs(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('logs'))
    .description('output of the container that runs, or of the last one and how it ended')
    .argument('<group/session>', 'the session')
    .addHelpText('after', examples('nightporter logs demo/first'))
    .action((session: string) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForReading(context);
        try {
          const view = await desk.api.logs(session);
          if (context.json) {
            await printJson(context.output, view);
            return 0;
          }
          const output = plain(view.output);
          await context.output.write(output === '' || output.endsWith('\n') ? output : `${output}\n`);
          const { incarnation } = view;
          const end =
            incarnation === null ? 'no container ran yet' : `run ${incarnation.epoch}: ${incarnationText(incarnation)}`;
          context.output.warn(`${view.session}: ${end}`);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}
