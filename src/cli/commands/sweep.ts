import { Option } from 'commander';
import type { Command } from 'commander';
import type { SweepActionView, SweepView } from '../../desk/views.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon, requireDataDir, untilFree } from '../connect.js';
import type { CommandContext } from '../context.js';
import type { RuntimeChoice } from '../host.js';
import { RUNTIME_CHOICES } from '../host.js';
import { printJson } from '../print.js';
import { oneLine } from '../../protocol/plain-text.js';

interface SweepOptions {
  readonly dryRun?: true;
  readonly runtime?: RuntimeChoice;
}

export function addSweep(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('sweep'))
    .description('make one round over the sessions now, with the daemon or without')
    .option('--dry-run', 'print every action and its reason, change nothing')
    .addOption(new Option('--runtime <runtime>', 'what runs the containers, this once').choices(RUNTIME_CHOICES))
    .addHelpText('after', examples('nightporter sweep', 'nightporter sweep --dry-run --json'))
    .action((options: SweepOptions) =>
      cli.run(command, async (context) => {
        const view = await sweepAnywhere(context, options);
        if (context.json) await printJson(context.output, view);
        else await context.output.write(sweepText(view));
        return 0;
      }),
    );
}

async function sweepAnywhere(context: CommandContext, options: SweepOptions): Promise<SweepView> {
  const dryRun = options.dryRun === true;
  return untilFree(context.dataDir, async () => {
    const daemon = await findDaemon(context);
    if (daemon !== undefined) {
      return { kind: 'done', value: await daemon.api.sweep({ dryRun, runtime: options.runtime }) };
    }
    requireDataDir(context.dataDir);
    const { dataDir, configFile } = context;
    const result = await (await context.host()).sweepOnce({ dataDir, configFile, dryRun, runtime: options.runtime });
    if (result.kind === 'locked') return result;
    const { viewOfSweep } = await import('../../desk/sweep.js');
    return { kind: 'done', value: viewOfSweep(result.report, dryRun) };
  });
}

function sweepText({ actions, counts, durationMs, dryRun }: SweepView): string {
  const summary =
    `${counts.swept} sessions looked at, ${counts.skipped} skipped, ${counts.errors} errors, ` +
    `${counts.actions} ${dryRun ? 'actions to take' : 'actions'}, ${durationMs} ms`;
  return `${[...actions.map(actionLine), summary].join('\n')}\n`;
}

function actionLine({ session, action, reason, ...details }: SweepActionView): string {
  const more = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  return oneLine([session ?? '(install)', action, `(${reason})`, ...more].join(' '));
}
