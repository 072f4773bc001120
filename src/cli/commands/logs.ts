import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { requireAddress } from '../../desk/input-texts.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import { printJson } from '../print.js';
import { plain } from '../../protocol/plain-text.js';
import { incarnationText } from '../text/session-text.js';

export function addLogs(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('logs'))
    .description('output of the container that runs, or of the last one and how it ended')
    .argument('<group/session>', 'the session')
    .option('--tail <lines>', 'no more than the last lines', readCount)
    .addHelpText('after', examples('nightporter logs demo/first', 'nightporter logs demo/first --tail 20'))
    .action((session: string, { tail }: { readonly tail?: number }) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const desk = await openForReading(context);
        try {
          const all = await desk.api.logs(session);
          const view = tail === undefined ? all : { ...all, output: lastLines(all.output, tail) };
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

function readCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is a number of lines, 1 or more.');
  return Number(text);
}

function lastLines(text: string, count: number): string {
  const lines = text.split('\n');
  // What ends with a newline has no further line after it.
  const end = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  return lines.slice(Math.max(0, end - count)).join('\n');
}
