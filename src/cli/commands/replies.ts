import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { requireAddress } from '../../desk/input-texts.js';
import type { Streamed } from '../../desk/api.js';
import type { ReplyView } from '../../desk/views.js';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForReading } from '../connect.js';
import type { CommandContext, DeskConnection } from '../context.js';
import { printInChunks, printJsonArray } from '../print.js';
import { plain, shortTime } from '../text/plain.js';

const POLL_MS = 250;

export function addReplies(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('replies'))
    .description('what the agent answered, oldest first')
    .argument('<group/session>', 'the session')
    .option('--follow', 'go on with new answers until interrupted; with --json an object a line')
    .addHelpText(
      'after',
      examples(
        'nightporter replies demo/first',
        'nightporter replies demo/first --follow',
        "nightporter replies demo/first --json | jq -r '.[].content.text'",
      ),
    )
    .action((session: string, options: { readonly follow?: true }) =>
      cli.run(command, async (context) => {
        requireAddress(session);
        if (options.follow === true) await follow(context, session);
        else await printAll(context, session);
        return 0;
      }),
    );
}

async function printAll(context: CommandContext, session: string): Promise<void> {
  const desk = await openForReading(context);
  try {
    const rows = pages(desk, session, { mark: 0 });
    if (context.json) await printJsonArray(context, rows);
    else await printInChunks(context, rows, replyText);
  } finally {
    await desk.close();
  }
}

async function follow(context: CommandContext, session: string): Promise<void> {
  const show = context.json ? (reply: ReplyView): string => `${JSON.stringify(reply)}\n` : replyText;
  const position = { mark: 0 };
  const ended = AbortSignal.any([context.readerGone, context.interruptions()]);
  let desk: DeskConnection | undefined;
  try {
    while (!ended.aborted) {
      try {
        desk ??= await openForReading(context);
        await printInChunks(context, pages(desk, session, position), show);
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
): AsyncGenerator<Streamed<ReplyView>> {
  for (;;) {
    const { rows, mark } = await desk.api.replies(session, position.mark);
    for (const row of rows) yield { row };
    const isEnd = mark === position.mark;
    position.mark = mark;
    if (rows.length === 0 || isEnd) return;
  }
}

function replyText({ timestamp, content }: ReplyView): string {
  const text = plain(textOf(content)).replaceAll('\n', '\n    ');
  return `${shortTime(timestamp)}  ${text}\n`;
}

function textOf(content: unknown): string {
  if (typeof content === 'object' && content !== null && 'text' in content && typeof content.text === 'string') {
    return content.text;
  }
  return JSON.stringify(content);
}
