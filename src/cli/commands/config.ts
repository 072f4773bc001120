import { resolve } from 'node:path';
import type { Command } from 'commander';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import type { CommandContext } from '../context.js';
import { printJson } from '../print.js';
import { addReload } from './config-reload.js';
import { oneLine } from '../../protocol/plain-text.js';

export function addConfig(parent: Command, cli: Cli): void {
  const group = withCommonOptions(parent.command('config'))
    .description('the settings: show (the default), check or reload')
    .addHelpText(
      'after',
      examples('nightporter config', 'nightporter config check ./config.yaml', 'nightporter config reload'),
    );
  addShow(group, cli);
  addCheck(group, cli);
  addReload(group, cli);
}

function addShow(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('show', { isDefault: true }))
    .description('the settings as file and environment are now, and where each comes from; secrets are hidden')
    .addHelpText('after', examples('nightporter config show', "nightporter config --json | jq '.MAX_TRIES.value'"))
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

function addCheck(group: Command, cli: Cli): void {
  const command = withCommonOptions(group.command('check'))
    .description(
      'whether file and environment can be used: every problem at once, exit 2 if there is one; makes nothing',
    )
    .argument('[file]', 'a settings file to check instead of the one in use')
    .addHelpText(
      'after',
      examples('nightporter config check', 'nightporter config check ./new.yaml && mv ./new.yaml DIR/config.yaml'),
    )
    .action((file: string | undefined) =>
      cli.run(command, async (context) => {
        const { problems, warnings } = await (
          await context.host()
        ).checkSettings({
          dataDir: context.dataDir,
          configFile: chosenFile(context, file),
        });
        if (context.json) {
          await printJson(context.output, { ok: problems.length === 0, problems, warnings });
          return problems.length === 0 ? 0 : 2;
        }
        for (const warning of warnings) context.output.warn(`warning: ${oneLine(warning)}`);
        if (problems.length > 0) throw new NightporterError('usage', textOf(problems));
        await context.output.write('ok\n');
        return 0;
      }),
    );
}

function chosenFile({ configFile }: CommandContext, file: string | undefined): string | undefined {
  if (file === undefined) return configFile;
  if (configFile === undefined || resolve(configFile) === resolve(file)) return file;
  throw new NightporterError('usage', `${file} and --config ${configFile} name two files: give one of them`);
}

function textOf(problems: readonly string[]): string {
  const lines = problems.map((problem) => `\n  ${problem}`);
  return `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} with the settings:${lines.join('')}`;
}
