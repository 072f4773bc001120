import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { requireAddress, requireInstant, requireName } from '../../desk/input-texts.js';
import { requireCron, requireMissed, requireZone } from '../../desk/schedule/input-schedule.js';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForWriting } from '../connect.js';
import type { CommandContext } from '../context.js';
import { printJson } from '../print.js';

interface SendOptions {
  readonly id?: string;
  readonly kind?: string;
  readonly after?: string;
  readonly cron?: string;
  readonly tz?: string;
  readonly missed?: string;
  /** commander's form of --no-wake. */
  readonly wake: boolean;
  readonly batch?: string;
}

const STDIN_MAX_BYTES = 256 * 1024 * 1024;

export function addSend(parent: Command, cli: Cli): void {
  const command = withCommonOptions(parent.command('send'))
    .description('put a message into a session, which is created if there is none')
    .argument('[group/session]', 'the session; with --batch that of lines which name none')
    .argument('[text]', 'the text; - reads it from standard input (its last newline is dropped)')
    .option('--id <id>', 'id of the message: the same id and content is accepted only once')
    .option('--kind <kind>', 'kind of message (default: chat)')
    .option('--after <time>', 'not before this time; UTC where it names no zone')
    .option('--cron <expression>', 'begin a series: five fields, minute hour day-of-month month day-of-week')
    .option('--tz <zone>', 'zone of --cron, like Europe/Berlin (default: TIMEZONE, else UTC)')
    .option('--missed <policy>', 'of missed occurrences: latest (default, one for all), skip (none), all (at most 24)')
    .option('--no-wake', 'start no container for it: it is given to the next one')
    .option(
      '--batch <file>',
      'NDJSON, a line a message: {"session", "text", "id", "kind", "after", "noWake", "cron", "tz", "missed"}; - is standard input',
    )
    .addHelpText(
      'after',
      examples(
        'nightporter send demo/first "hello"',
        'nightporter send demo/first "the nightly report" --after 2030-01-31T06:00:00Z',
        'nightporter send demo/first "the nightly report" --id nightly --cron "0 2 * * *" --tz Europe/Berlin',
        'nightporter send demo/first - --id order-4711 < order.txt',
        'nightporter send demo/first -- "-5 degrees"',
        'nightporter send --batch messages.ndjson',
      ),
    )
    .action((session: string | undefined, text: string | undefined, options: SendOptions) =>
      cli.run(command, async (context) => {
        if (options.batch !== undefined) await sendBatch(context, session, text, options, options.batch);
        else await sendOne(context, session, text, options);
        return 0;
      }),
    );
}

async function sendOne(
  context: CommandContext,
  session: string | undefined,
  argument: string | undefined,
  options: SendOptions,
): Promise<void> {
  if (session === undefined) throw usage('no session and no text: write nightporter send group/session "text"');
  // Checked before anything is made or asked; the desk checks again.
  requireAddress(session);
  if (argument === undefined) throw usage(`no text for ${session}: write it in quotes, or - to read standard input`);
  if (options.id !== undefined) requireName(options.id, 'message id');
  if (options.kind !== undefined) requireName(options.kind, 'kind of message');
  if (options.after !== undefined) requireInstant(options.after, '--after');
  if (options.cron !== undefined) requireCron(options.cron);
  if (options.tz !== undefined) requireZone(options.tz);
  if (options.missed !== undefined) requireMissed(options.missed);
  const text = argument === '-' ? await readText(context.input) : argument;

  const desk = await openForWriting(context);
  try {
    const { id, kind, after, cron, tz, missed, wake } = options;
    const noWake = wake ? undefined : true;
    const sent = await desk.api.send({ session, text, id, kind, after, cron, tz, missed, noWake });
    if (context.json) {
      await printJson(context.output, sent);
      return;
    }
    const verb = sent.duplicate ? 'accepted before, with the same content:' : 'accepted';
    const note = desk.daemon ? '' : '; no daemon runs, it waits for "nightporter start"';
    await context.output.write(`${verb} ${sent.session} ${sent.id}${note}\n`);
  } finally {
    await desk.close();
  }
}

async function sendBatch(
  context: CommandContext,
  session: string | undefined,
  text: string | undefined,
  options: SendOptions,
  batch: string,
): Promise<void> {
  const single = (['id', 'kind', 'after', 'cron', 'tz', 'missed'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (text !== undefined || single.length > 0 || !options.wake) {
    throw usage(
      '--batch takes text, id, kind, after, cron, tz, missed and noWake from its lines: leave them out of the command',
    );
  }
  if (session !== undefined) requireAddress(session);
  const bytes = batch === '-' ? context.input : await openFile(batch);

  const desk = await openForWriting(context);
  try {
    const view = await desk.api.sendBatch(bytes, session);
    if (context.json) {
      await printJson(context.output, view);
      return;
    }
    const again = view.duplicates > 0 ? `, ${view.duplicates} accepted before` : '';
    await context.output.write(`${view.accepted} accepted${again}\n`);
  } finally {
    await desk.close();
  }
}

async function openFile(path: string): Promise<AsyncIterable<Uint8Array>> {
  const found = await stat(path).catch((error: unknown) => {
    const detail = error instanceof Error ? error.message : String(error);
    throw usage(`--batch cannot read ${path}: ${detail}`);
  });
  if (found.isDirectory()) throw usage(`--batch cannot read ${path}: it is a folder`);
  return createReadStream(path);
}

async function readText(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.byteLength;
    if (bytes > STDIN_MAX_BYTES)
      throw usage(`standard input is over ${STDIN_MAX_BYTES} bytes: send a path to it instead`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      .decode(Buffer.concat(chunks))
      .replace(/\r?\n$/, '');
  } catch (error) {
    throw new NightporterError('usage', 'standard input is not UTF-8 text: convert it first (iconv)', { cause: error });
  }
}

function usage(message: string): NightporterError {
  return new NightporterError('usage', message);
}
