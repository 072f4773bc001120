import type { Command } from 'commander';
import type { ReloadView } from '../../desk/views.js';
import { NightporterError } from '../../protocol/errors.js';
import { oneLine } from '../../protocol/plain-text.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon } from '../connect.js';
import { printJson } from '../print.js';

export function addReload(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('reload'))
    .description(
      'have the running daemon read its settings again: prints what changed; one problem, and all stays as it was (exit 2)',
    )
    .addHelpText(
      'after',
      examples(
        'nightporter config reload',
        "nightporter config reload --json | jq '.changed[] | select(.inEffect | not)'",
      ),
    )
    .action(() =>
      cli.run(command, async (context) => {
        if (context.configFile !== undefined) {
          throw new NightporterError('usage', 'the daemon reads the file that it was started with: leave --config out');
        }
        const daemon = await findDaemon(context);
        if (daemon === undefined) {
          throw new NightporterError(
            'unavailable',
            `no daemon runs on ${context.dataDir}: the next start reads the settings`,
          );
        }
        const view = await daemon.api.reloadSettings();
        if (context.json) {
          await printJson(context.output, view);
          return 0;
        }
        for (const warning of view.warnings) context.output.warn(`warning: ${oneLine(warning)}`);
        await context.output.write(reloadText(view));
        return 0;
      }),
    );
}

function reloadText({ changed }: ReloadView): string {
  if (changed.length === 0) return 'nothing changed\n';
  const lines = changed.map(({ setting, shownFrom, shownTo, inEffect }) => {
    const later = inEffect ? '' : ' (from the next start on)';
    return oneLine(`${setting}: ${shownFrom} -> ${shownTo}${later}`);
  });
  const inEffect = changed.filter((change) => change.inEffect).length;
  const late = changed.length - inEffect;
  const summary = `${String(inEffect)} in effect now${late === 0 ? '' : `, ${String(late)} after a restart of the daemon`}`;
  return `${[...lines, summary].join('\n')}\n`;
}
