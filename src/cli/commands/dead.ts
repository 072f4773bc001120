import type { Command } from 'commander';
import { requireAddress } from '../../desk/input-texts.js';
import type { DeadLetterView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import { printInChunks, printJsonArray } from '../print.js';
import { oneLine, shortTime } from '../text/plain.js';

export function addDead(parent: Command, cli: Cli): void {
  const group = withCommonOptions(parent.command('dead')).description('dead letters: messages that ended as failed');
  const command = withCommonOptions(group.command('list'))
    .description('dead letters by session, newest first')
    .argument('[group/session]', 'only of this session')
    .addHelpText('after', examples('nightporter dead list', "nightporter dead list --json | jq -r '.[].id'"))
    .action((session: string | undefined) =>
      cli.run(command, async (context) => {
        if (session !== undefined) requireAddress(session);
        const desk = await openForReading(context);
        try {
          const rows = desk.api.deadLetters({ session });
          if (context.json) await printJsonArray(context, rows);
          else if ((await printInChunks(context, rows, deadLine)) === 0)
            await context.output.write('no dead letters\n');
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function deadLine({ session, id, tries, errorClass, error, finishedAt }: DeadLetterView): string {
  const why = [errorClass, error].filter((text) => text !== null).join(': ');
  return (
    `${shortTime(finishedAt).padEnd(20)} ${session} ${oneLine(id)} tries ${tries} ${oneLine(why)}`.trimEnd() + '\n'
  );
}
