import type { Command } from 'commander';
import type { DeadSelection } from '../../desk/api.js';
import { requireSelection } from '../../desk/dead-filter.js';
import type { PurgedView } from '../../desk/views.js';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading, openForWriting } from '../connect.js';
import type { CommandContext, DeskConnection } from '../context.js';
import { printJson } from '../print.js';
import { oneLine } from '../../protocol/plain-text.js';
import { filterOf, withFilters } from './dead-filters.js';
import type { FilterOptions } from './dead-filters.js';

interface PurgeOptions extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

export function addPurge(parent: Command, cli: Cli): void {
  const command = withFilters(withCommonOptions(parent.command('purge')))
    .description('hide dead letters from lists and counts; "dead retry" brings one back')
    .argument('[group/session]', 'only of this session')
    .argument('[id...]', 'these of it')
    .option('--all', 'all that the filters let through')
    .option('--dry-run', 'list them, and change nothing')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      examples(
        'nightporter dead purge demo/first order-4711',
        'nightporter dead purge --older-than 7d --yes',
        'nightporter dead purge demo/first --all --dry-run',
      ),
    )
    .action((session: string | undefined, ids: readonly string[], options: PurgeOptions) =>
      cli.run(command, async (context) => {
        const { all, dryRun = false, yes = false } = options;
        const selection: DeadSelection = { ...filterOf(session, options), ids, all };
        requireSelection(selection, 'purge');
        if (!dryRun && !yes && !context.isTerminal) {
          throw new NightporterError(
            'usage',
            'nobody can be asked here whether to purge: add --yes, or --dry-run to see what it would be',
          );
        }
        const desk = await (dryRun ? openForReading : openForWriting)(context);
        try {
          const chosen = dryRun || yes ? selection : await confirmed(context, desk, selection);
          if (chosen === undefined) return 0;
          const view = await desk.api.purgeDead({ ...chosen, dryRun });
          if (context.json) await printJson(context.output, view);
          else await printText(context, view);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

/** What is purged is what was counted: nothing that ended since. undefined: not confirmed. */
async function confirmed(
  context: CommandContext,
  desk: DeskConnection,
  selection: DeadSelection,
): Promise<DeadSelection | undefined> {
  const { output } = context;
  const { purged, asOf } = await desk.api.purgeDead({ ...selection, dryRun: true });
  if (purged.length === 0) return selection;
  output.warn(`purge ${countOf(purged.length)}? y/N`);
  const answer = (await firstLine(context.input)).trim().toLowerCase();
  if (answer === 'y' || answer === 'yes') return { ...selection, until: asOf };
  output.warn('nothing was purged');
  return undefined;
}

async function firstLine(input: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}

async function printText({ output }: CommandContext, { purged, dryRun, problems }: PurgedView): Promise<void> {
  for (const problem of problems) output.warn(problem);
  if (dryRun)
    await output.write(purged.map(({ session, id }) => `would be purged: ${session} ${oneLine(id)}\n`).join(''));
  await output.write(dryRun ? `${countOf(purged.length)} would be purged\n` : `purged ${countOf(purged.length)}\n`);
}

function countOf(count: number): string {
  return count === 1 ? '1 dead letter' : `${count === 0 ? 'no' : String(count)} dead letters`;
}
