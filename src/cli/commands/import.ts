import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ImportAborted, ImportedSessionView, ImportNoteView, ImportView } from '../../desk/import/import-view.js';
import { NightporterError } from '../../protocol/errors.js';
import { oneLine } from '../../protocol/plain-text.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { findDaemon, openForWriting, requireDataDir } from '../connect.js';
import { printJson } from '../print.js';

interface ImportOptions {
  readonly dryRun?: true;
  readonly group?: string;
}

export function addImport(parent: Command, cli: Cli): void {
  const importing = withCommonOptions(parent.command('import')).description('bring over what another host has');
  const command = withCommonOptions(importing.command('nanoclaw'))
    .description('bring over sessions, messages, series and history of NanoClaw v2; nothing there is changed')
    .argument('<folder>', 'of the installation: the one with data/v2.db in it')
    .option('--dry-run', 'list exactly what would be brought and what not, change nothing')
    .option('--group <name>', 'only sessions of this group, as it is called here')
    .addHelpText(
      'after',
      `
Stop NanoClaw first. A session is brought once, whole or not at all: run again, the command goes on where it was. What cannot be
brought is listed with the reason. Exit codes: 3 no such installation or group, 5 its central database cannot be read.
${examples('nightporter import nanoclaw ~/nanoclaw --dry-run', 'nightporter import nanoclaw ~/nanoclaw --group main --json')}`,
    )
    .action((folder: string, options: ImportOptions) =>
      cli.run(command, async (context) => {
        const dryRun = options.dryRun === true;
        if (dryRun && (await findDaemon(context)) === undefined) requireDataDir(context.dataDir);
        const desk = await openForWriting(context);
        try {
          const view = await desk.api.importNanoclaw({ folder: resolve(folder), dryRun, group: options.group });
          if (context.json) await printJson(context.output, view);
          else await context.output.write(importText(view));
          if (view.aborted !== null) throw endedEarly(view.aborted);
          return 0;
        } finally {
          await desk.close();
        }
      }),
    );
}

function endedEarly({ session, code, message }: ImportAborted): NightporterError {
  return new NightporterError(
    code,
    `the import ended at ${session}: ${message}; run it again, it goes on where it was`,
  );
}

function importText({ sessions, counts, notes, dryRun }: ImportView): string {
  const verb = dryRun ? 'to bring' : 'brought';
  const summary =
    `${counts.brought} sessions ${verb}, ${counts.known} brought before, ${counts.left} left; ` +
    `${counts.pending} pending messages, ${counts.paused} paused, ${counts.completed} completed, ${counts.failed} failed, ` +
    `${counts.series} series, ${counts.answers} answers, ${counts.files} files`;
  const lines = [...sessions.flatMap(sessionLines), ...notes.map(noteLine), summary];
  return `${lines.map(oneLine).join('\n')}\n`;
}

function sessionLines({ session, from, state, why, counts, notes }: ImportedSessionView): readonly string[] {
  if (state === 'known') return [`${session}: brought before`];
  if (state === 'left') return [`${session}: left (${why ?? ''}); there ${from}`];
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  const told = parts.map(([name, count]) => `${count} ${name}`).join(', ');
  return [`${session}: ${told === '' ? 'empty' : told}`, ...notes.map((note) => `  ${noteLine(note)}`)];
}

function noteLine({ kind, reason, count, first }: ImportNoteView): string {
  return `${kind}: ${count} x ${reason} (${count > 1 ? 'first: ' : ''}${first})`;
}
