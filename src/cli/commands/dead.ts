import type { Command } from 'commander';
import { readFilter } from '../../desk/dead-filter.js';
import { requireAddress } from '../../desk/input-texts.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import { printInChunks, printJson, printJsonArray } from '../print.js';
import { deadLine, deadMessageText } from '../text/dead-text.js';
import { filterOf, withFilters } from './dead-filters.js';
import type { FilterOptions } from './dead-filters.js';
import { addPurge } from './dead-purge.js';
import { addRetry } from './dead-retry.js';

export function addDead(parent: Command, cli: Cli): void {
  const group = withCommonOptions(parent.command('dead')).description('dead letters: messages that ended as failed');
  group.addHelpText(
    'after',
    examples(
      'nightporter dead list --reason tries_spent',
      'nightporter dead show demo/first order-4711',
      'nightporter dead retry demo/first order-4711',
      'nightporter dead retry --all --newer-than 2h',
      'nightporter dead purge --older-than 7d',
    ),
  );
  addList(group, cli);
  addShow(group, cli);
  addRetry(group, cli);
  addPurge(group, cli);
}

function addList(group: Command, cli: Cli): void {
  const command = withFilters(withCommonOptions(group.command('list')))
    .description('dead letters by session, newest first')
    .argument('[group/session]', 'only of this session')
    .option('--purged', 'purged ones too')
    .addHelpText(
      'after',
      examples(
        'nightporter dead list',
        'nightporter dead list --group demo --class fatal --newer-than 12h',
        "nightporter dead list --json | jq -r '.[].id'",
      ),
    )
    .action((session: string | undefined, options: FilterOptions) =>
      cli.run(command, async (context) => {
        const filter = filterOf(session, options);
        readFilter(filter, undefined, 0);
        const desk = await openForReading(context);
        try {
          const rows = desk.api.deadLetters(filter);
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

function addShow(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('show'))
    .description(
      "a message, its content, how each of its attempts ended with its container's last output, and what can be done",
    )
    .argument('<group/session>', 'its session')
    .argument('<id>', 'its id')
    .addHelpText(
      'after',
      examples(
        'nightporter dead show demo/first order-4711',
        "nightporter dead show demo/first order-4711 --json | jq -r '.ends[-1].lastOutput'",
      ),
    )
    .action((session: string, id: string) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForReading(context);
        try {
          const view = await desk.api.showDead(session, id);
          if (context.json) await printJson(context.output, view);
          else await context.output.write(deadMessageText(view));
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}
