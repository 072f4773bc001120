import type { Command } from 'commander';
import { requireAddress, requireInstant, requireName } from '../../desk/input-texts.js';
import { requireCron, requireMissed, requireZone } from '../../desk/schedule/input-schedule.js';
import { NightporterError } from '../../protocol/errors.js';
import type { Cli } from '../command.js';
import { examples, withCommonOptions } from '../command.js';
import { openForWriting } from '../connect.js';
import type { CommandContext } from '../context.js';
import type { OpenAttachment } from '../open-attachments.js';
import { closeAttachments, openAttachments } from '../open-attachments.js';
import { printJson } from '../print.js';
import { sendBatch } from '../send-batch.js';

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
  readonly progress?: true;
  readonly attach?: readonly string[];
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
    .option('--attach <file>', 'send a file along; may be given several times, the text may be left out then', collect)
    .option('--no-wake', 'start no container for it: it is given to the next one')
    .option(
      '--batch <file>',
      'NDJSON, a line a message: {"session", "text", "id", "kind", "after", "noWake", "cron", "tz", "missed"}; - is standard input',
    )
    .option('--progress', 'with --batch: say on stderr how far it is, also where that is no terminal')
    .addHelpText(
      'after',
      examples(
        'nightporter send demo/first "hello"',
        'nightporter send demo/first "the nightly report" --after 2030-01-31T06:00:00Z',
        'nightporter send demo/first "the nightly report" --id nightly --cron "0 2 * * *" --tz Europe/Berlin',
        'nightporter send demo/first - --id order-4711 < order.txt',
        'nightporter send demo/first "what is in it?" --attach photo.jpg --attach notes.txt',
        'nightporter send demo/first -- "-5 degrees"',
        'nightporter send --batch messages.ndjson',
      ),
    )
    .action((session: string | undefined, text: string | undefined, options: SendOptions) =>
      cli.run(command, async (context) => {
        if (options.batch !== undefined) {
          refuseSingle(text, options);
          await sendBatch(context, session, { path: options.batch, progress: options.progress });
        } else await sendOne(context, session, text, options);
        return 0;
      }),
    );
}

function refuseSingle(text: string | undefined, options: SendOptions): void {
  const single = (['id', 'kind', 'after', 'cron', 'tz', 'missed'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (options.attach !== undefined) {
    throw usage('a batch takes no attachments: send the messages that have some one by one, with --attach');
  }
  if (text === undefined && single.length === 0 && options.wake) return;
  throw usage(
    '--batch takes text, id, kind, after, cron, tz, missed and noWake from its lines: leave them out of the command',
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
  const paths = options.attach ?? [];
  if (argument === undefined && paths.length === 0)
    throw usage(`no text for ${session}: write it in quotes, or - to read standard input`);
  if (options.id !== undefined) requireName(options.id, 'message id');
  if (options.kind !== undefined) requireName(options.kind, 'kind of message');
  if (options.after !== undefined) requireInstant(options.after, '--after');
  if (options.cron !== undefined) requireCron(options.cron);
  if (options.tz !== undefined) requireZone(options.tz);
  if (options.missed !== undefined) requireMissed(options.missed);
  const files = await openAttachments(paths);
  try {
    const text = argument === '-' ? await readText(context.input) : (argument ?? '');
    await sendWith(context, session, text, files, options);
  } finally {
    await closeAttachments(files);
  }
}

async function sendWith(
  context: CommandContext,
  session: string,
  text: string,
  files: readonly OpenAttachment[],
  options: SendOptions,
): Promise<void> {
  const desk = await openForWriting(context);
  try {
    const { id, kind, after, cron, tz, missed, wake } = options;
    const attachments: Awaited<ReturnType<typeof desk.api.stage>>[] = [];
    for (const { name, size, bytes } of files) attachments.push(await desk.api.stage(name, bytes(), size));
    const noWake = wake ? undefined : true;
    const carried = attachments.length === 0 ? undefined : attachments;
    const sent = await desk.api.send({
      session,
      text,
      id,
      kind,
      after,
      cron,
      tz,
      missed,
      noWake,
      attachments: carried,
    });
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

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
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
