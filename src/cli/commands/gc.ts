import type { Command } from 'commander';
import type { GcView } from '../../desk/views.js';
import { formatBytes } from '../text/bytes.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon, requireDataDir, untilFree } from '../connect.js';
import type { CommandContext } from '../context.js';
import { printJson } from '../print.js';
import { oneLine } from '../../protocol/plain-text.js';

interface GcOptions {
  readonly dryRun?: true;
  readonly archive?: true;
}

export function addGc(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('gc'))
    .description('close, delete and prune now what is due for it, with the daemon or without')
    .option('--dry-run', 'print exactly what would be done, change nothing')
    .option(
      '--archive',
      'move folders of no session that were not written to for 14 days below archive/ in the data dir',
    )
    .addHelpText('after', examples('nightporter gc --dry-run', "nightporter gc --json | jq '.counts'"))
    .action((options: GcOptions) =>
      cli.run(command, async (context) => {
        const view = await collectAnywhere(context, options);
        if (context.json) await printJson(context.output, view);
        else await context.output.write(gcText(view));
        return view.failures.length === 0 ? 0 : 1;
      }),
    );
}

async function collectAnywhere(context: CommandContext, options: GcOptions): Promise<GcView> {
  const dryRun = options.dryRun === true;
  const archive = options.archive === true;
  return untilFree(context.dataDir, async () => {
    const daemon = await findDaemon(context);
    if (daemon !== undefined) return { kind: 'done', value: await daemon.api.gc({ dryRun, archive }) };
    requireDataDir(context.dataDir);
    const { dataDir, configFile } = context;
    const result = await (await context.host()).collectOnce({ dataDir, configFile, dryRun, archive });
    if (result.kind === 'locked') return result;
    const { viewOfGc } = await import('../../desk/gc.js');
    return { kind: 'done', value: viewOfGc(result.report, dryRun) };
  });
}

function gcText({ actions, counts, kept, failures, dryRun }: GcView): string {
  const reasons = Object.entries(kept).map(([reason, count]) => `${String(count)} ${reason}`);
  const summary = `${String(counts['actions'] ?? 0)} ${dryRun ? 'actions to take' : 'actions'}, ${formatBytes(counts['bytes'] ?? 0)}${
    reasons.length > 0 ? `; kept: ${reasons.join(', ')}` : ''
  }`;
  const failed = failures.map(({ job, why }) => oneLine(`${job} failed, the rest of it is tried again: ${why}`));
  return `${[...actions.map(actionLine), ...failed, summary].join('\n')}\n`;
}

function actionLine({ session, action, reason, path, bytes, ...details }: GcView['actions'][number]): string {
  const more = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  const size = bytes === null || bytes === 0 ? [] : [formatBytes(bytes)];
  return oneLine([session ?? '(install)', action, `(${reason})`, ...size, ...more, path ?? ''].join(' ').trimEnd());
}
