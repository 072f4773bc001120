import type { Command } from 'commander';
import type { DeadSelection } from '../../desk/api.js';
import { requireSelection } from '../../desk/dead-filter.js';
import type { RetriedView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading, openForWriting } from '../connect.js';
import type { CommandContext } from '../context.js';
import { printJson } from '../print.js';
import { explainWait, retriedLine } from '../text/dead-text.js';
import { filterOf, withFilters } from './dead-filters.js';
import type { FilterOptions } from './dead-filters.js';

/** More than these are only counted. */
const MOST_SHOWN = 20;

interface RetryOptions extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: true;
}

export function addRetry(parent: Command, cli: Cli): void {
  const command = withFilters(withCommonOptions(parent.command('retry')))
    .description('try dead letters again: each as a new attempt with all its tries; what happened before is kept')
    .argument('[group/session]', 'only of this session')
    .argument('[id...]', 'these of it')
    .option('--all', 'all that the filters let through')
    .option('--purged', 'purged ones too')
    .option('--dry-run', 'list them, and change nothing')
    .addHelpText(
      'after',
      examples(
        'nightporter dead retry demo/first order-4711 order-4712',
        'nightporter dead retry demo/first --all',
        'nightporter dead retry --reason stale_active --dry-run',
      ),
    )
    .action((session: string | undefined, ids: readonly string[], options: RetryOptions) =>
      cli.run(command, async (context) => {
        const { all, dryRun } = options;
        const selection: DeadSelection = { ...filterOf(session, options), ids, all, dryRun };
        requireSelection(selection, 'retry');
        const desk = await (dryRun === true ? openForReading : openForWriting)(context);
        try {
          const view = await desk.api.retryDead(selection);
          if (context.json) await printJson(context.output, view);
          else await printText(context, view);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

async function printText({ output }: CommandContext, { retried, dryRun, problems }: RetriedView): Promise<void> {
  for (const problem of problems) output.warn(problem);
  const showsAll = dryRun || retried.length <= MOST_SHOWN;
  const verb = dryRun ? 'would be tried again:' : 'tried again:';
  if (showsAll) await output.write(retried.map((letter) => retriedLine(verb, letter)).join(''));
  else {
    const waits = new Set(
      retried.flatMap(({ session, waits: why }) => (why === null ? [] : explainWait(session, why))),
    );
    for (const wait of waits) output.warn(wait);
  }
  if (retried.length === 1 && showsAll) return;
  const all = retried.length === 0 ? 'no dead letters' : `${retried.length} dead letters`;
  await output.write(`${all} ${dryRun ? 'would be' : retried.length === 0 ? 'to be' : 'are'} tried again\n`);
}
