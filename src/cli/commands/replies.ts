import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { requireAddress } from '../../desk/input-texts.js';
import type { Streamed } from '../../desk/api.js';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import type { CommandContext, DeskConnection } from '../context.js';
import { printInChunks, printJsonArray } from '../print.js';
import { AttachmentSaver } from '../save-attachments.js';
import type { SavedReply } from '../save-attachments.js';
import { oneLine, plain, plainJson } from '../../protocol/plain-text.js';
import { shortTime } from '../text/columns.js';

const POLL_MS = 250;

interface RepliesOptions {
  readonly follow?: true;
  readonly save?: string;
  readonly duplicates?: true;
}

export function addReplies(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('replies'))
    .description('what the agent answered, oldest first')
    .argument('<group/session>', 'the session')
    .option('--follow', 'go on with new answers until interrupted; with --json an object a line')
    .option('--duplicates', 'also answers that an earlier try of the same message gave already ("duplicate": true)')
    .option('--save <folder>', 'write the files that came with them to <folder>/<answer id>/<name>')
    .addHelpText(
      'after',
      examples(
        'nightporter replies demo/first',
        'nightporter replies demo/first --follow',
        'nightporter replies demo/first --save ./answers',
        "nightporter replies demo/first --json | jq -r '.[].content.text'",
      ),
    )
    .action((session: string, options: RepliesOptions) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        const saver =
          options.save === undefined
            ? undefined
            : new AttachmentSaver({ folder: options.save, session, output: context.output });
        const showing = { saver, duplicates: options.duplicates === true };
        if (options.follow === true) await follow(context, session, showing);
        else await printAll(context, session, showing);
        return saver !== undefined && saver.failed > 0 ? 1 : 0;
      }),
    );
}

interface Showing {
  readonly saver: AttachmentSaver | undefined;
  readonly duplicates: boolean;
}

async function printAll(context: CommandContext, session: string, showing: Showing): Promise<void> {
  const desk = await openForReading(context);
  try {
    const rows = pages(desk, session, { mark: 0 }, showing);
    if (context.json) await printJsonArray(context, rows);
    else await printInChunks(context, rows, replyText);
  } finally {
    await desk.close();
  }
}

async function follow(context: CommandContext, session: string, showing: Showing): Promise<void> {
  const show = context.json ? (reply: SavedReply): string => `${plainJson(JSON.stringify(reply))}\n` : replyText;
  const position = { mark: 0 };
  const ended = AbortSignal.any([context.readerGone, context.interruptions()]);
  let desk: DeskConnection | undefined;
  try {
    while (!ended.aborted) {
      try {
        desk ??= await openForReading(context);
        await printInChunks(context, pages(desk, session, position, showing), show);
      } catch (error) {
        // The daemon may go and come back; the files stay.
        if (!(error instanceof NightporterError && error.code === 'unavailable')) throw error;
        await desk?.close();
        desk = undefined;
      }
      await pause(POLL_MS, undefined, { signal: ended }).catch(() => undefined);
    }
  } finally {
    await desk?.close();
  }
}

/** Everything after the position, which moves along. */
async function* pages(
  desk: DeskConnection,
  session: string,
  position: { mark: number },
  { saver, duplicates }: Showing,
): AsyncGenerator<Streamed<SavedReply>> {
  for (;;) {
    const { rows, mark } = await desk.api.replies(session, position.mark);
    const saved: SavedReply[] = [];
    const shown = rows.filter(({ duplicate }) => duplicates || duplicate !== true);
    for (const row of shown) saved.push(saver === undefined ? row : await saver.save(desk, row));
    for (const row of saved) yield { row };
    const isEnd = mark === position.mark;
    position.mark = mark;
    if (rows.length === 0 || isEnd) return;
  }
}

function replyText({ timestamp, content, attachments = [], refused = [] }: SavedReply): string {
  const text = plain(textOf(content)).replaceAll('\n', '\n    ');
  const files = attachments.map(({ name, bytes, path }) => `    [${oneLine(path ?? name)}, ${bytes} bytes]\n`);
  const left = refused.map(({ name, why }) => `    [left out: ${oneLine(`${name} ${why}`.trim())}]\n`);
  return `${shortTime(timestamp)}  ${text}\n${files.join('')}${left.join('')}`;
}

function textOf(content: unknown): string {
  if (typeof content === 'object' && content !== null && 'text' in content && typeof content.text === 'string') {
    return content.text;
  }
  return JSON.stringify(content);
}
