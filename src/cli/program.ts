import { Command } from 'commander';
import type { CommanderError } from 'commander';
import { NightporterError } from '../protocol/errors.js';
import type { Cli } from './command.js';
import { nameOf, withCommonOptions } from './command.js';
import { addConfig } from './commands/config.js';
import { addDead } from './commands/dead.js';
import { addDoctor } from './commands/doctor.js';
import { addDrain } from './commands/drain.js';
import { addGc } from './commands/gc.js';
import { addImport } from './commands/import.js';
import { addLogs } from './commands/logs.js';
import { addReplies } from './commands/replies.js';
import { addSchedule } from './commands/schedule.js';
import { addSend } from './commands/send.js';
import { addSession } from './commands/session.js';
import { addStart } from './commands/start.js';
import { addStatus } from './commands/status.js';
import { addSweep } from './commands/sweep.js';

const AFTER = `
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 no daemon or engine, 5 refused (already running, held, wrong state).
Every setting has an environment variable: NIGHTPORTER_ and its name. "nightporter config" shows them all.

Examples:
  nightporter start --data-dir ./data
  nightporter send demo/first "hello" --data-dir ./data
  nightporter replies demo/first --follow --data-dir ./data
  nightporter status --json | jq .messages`;

/** Help that was asked for, or shown in place of a missing command. */
export class HelpShown extends Error {
  readonly text: string;
  readonly asked: boolean;
  constructor(text: string, asked: boolean) {
    super('help');
    this.text = text;
    this.asked = asked;
  }
}

/** All commands. Parsing throws NightporterError `usage` or HelpShown. */
export function createProgram(cli: Cli, version: string): Command {
  let shown = '';
  const program = new Command('nightporter');
  program
    .description('keeps a fleet of per-session agent containers healthy')
    .version(version)
    .addHelpText('after', AFTER)
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => (shown += text),
      writeErr: (text) => (shown += text),
      getOutHelpWidth: () => process.stdout.columns || 100,
      getErrHelpWidth: () => process.stderr.columns || 100,
    });
  withCommonOptions(program);
  for (const add of [
    addStart,
    addStatus,
    addSend,
    addReplies,
    addSession,
    addSweep,
    addSchedule,
    addDead,
    addLogs,
    addDrain,
    addGc,
    addImport,
    addConfig,
    addDoctor,
  ]) {
    add(program, cli);
  }
  explainErrors(program, () => shown);
  return program;
}

function explainErrors(command: Command, shown: () => string): void {
  command.exitOverride((error) => {
    if (error.exitCode === 0 || error.code === 'commander.help') throw new HelpShown(shown(), error.exitCode === 0);
    throw usageError(error, command);
  });
  for (const inner of command.commands) explainErrors(inner, shown);
}

/** commander's words on one line, with where to read more. */
function usageError(error: CommanderError, command: Command): NightporterError {
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  const help = ['nightporter', nameOf(command), '--help'].filter(Boolean).join(' ');
  return new NightporterError('usage', `${text}: see "${help}"`, { cause: error });
}
