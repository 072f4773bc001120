import type { Command } from 'commander';
import type { CommandContext } from './context.js';

/** Runs the body of a command; its result is the exit code, 0 without one. */
export interface Cli {
  run(command: Command, body: (context: CommandContext) => Promise<number | undefined>): Promise<void>;
}

export interface CommonOptions {
  readonly dataDir?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** Options that every command takes, anywhere on the line. */
export function withCommonOptions(command: Command): Command {
  return command
    .option(
      '--data-dir <folder>',
      'the data (default: NIGHTPORTER_DATA_DIR, else /var/lib/nightporter or the XDG state)',
    )
    .option('--config <file>', 'the settings file (default: config.yaml in the data dir)')
    .option('--json', 'print JSON');
}

/** `--data-dir` and its like, wherever they were given; the innermost wins. */
export function commonOptionsOf(command: Command): CommonOptions {
  const outer: CommonOptions = command.parent === null ? {} : commonOptionsOf(command.parent);
  return { ...outer, ...command.opts<CommonOptions>() };
}

/** `session create`, without the program's name. */
export function nameOf(command: Command): string {
  if (command.parent === null) return '';
  const outer = nameOf(command.parent);
  return outer === '' ? command.name() : `${outer} ${command.name()}`;
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
