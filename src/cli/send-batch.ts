import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { BATCH_MAX_BYTES, BATCH_MAX_LINES } from '../desk/batch-limits.js';
import { requireAddress } from '../desk/input-texts.js';
import { NightporterError } from '../protocol/errors.js';
import { openForWriting } from './connect.js';
import type { CommandContext, Output } from './context.js';
import { printJson } from './print.js';

const NEWLINE = 0x0a;
const SHOWN_EVERY_MS = 200;
const TOLD_EVERY_MS = 1_000;

export interface BatchOptions {
  /** `-`: standard input. */
  readonly path: string;
  /** Also where stderr is no terminal. */
  readonly progress: true | undefined;
}

/** Sends NDJSON, and says on stderr how far it is. */
export async function sendBatch(
  context: CommandContext,
  session: string | undefined,
  options: BatchOptions,
): Promise<void> {
  const { output } = context;
  if (session !== undefined) requireAddress(session);
  const bytes = options.path === '-' ? context.input : await openFile(options.path);
  const progress = options.progress === true || output.isWatched ? new Progress(output) : undefined;

  const desk = await openForWriting(context);
  try {
    const view = await desk.api.sendBatch(watched(bytes, progress), session);
    progress?.end(`${view.accepted} accepted`);
    if (context.json) {
      await printJson(output, view);
      return;
    }
    const again = view.duplicates > 0 ? `, ${view.duplicates} accepted before` : '';
    await output.write(`${view.accepted} accepted${again}\n`);
  } catch (error) {
    progress?.end('nothing accepted');
    throw error;
  } finally {
    await desk.close();
  }
}

/** Passes a batch on. Ends where it is more than will be accepted: what has no end is not read for ever. */
async function* watched(bytes: AsyncIterable<Uint8Array>, progress: Progress | undefined): AsyncGenerator<Uint8Array> {
  let total = 0;
  let lines = 0;
  for await (const chunk of bytes) {
    total += chunk.byteLength;
    lines += countLines(chunk);
    if (total > BATCH_MAX_BYTES) throw tooLarge(`over ${BATCH_MAX_BYTES} bytes`);
    if (lines > BATCH_MAX_LINES) throw tooLarge(`over ${BATCH_MAX_LINES} lines`);
    yield chunk;
    progress?.show(lines, total);
  }
}

function countLines(chunk: Uint8Array): number {
  let lines = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

class Progress {
  readonly #output: Output;
  #shownAtMs = -Infinity;
  #text = '';

  constructor(output: Output) {
    this.#output = output;
  }

  show(lines: number, bytes: number): void {
    this.#text = `${lines} lines read (${(bytes / 1_048_576).toFixed(1)} MiB)`;
    const nowMs = performance.now();
    if (nowMs - this.#shownAtMs < (this.#output.isWatched ? SHOWN_EVERY_MS : TOLD_EVERY_MS)) return;
    this.#shownAtMs = nowMs;
    this.#output.progress(this.#text);
  }

  /** On a terminal the line makes room for the result. */
  end(result: string): void {
    this.#output.progress(this.#output.isWatched ? '' : `${this.#text || '0 lines read'}, ${result}`);
  }
}

async function openFile(path: string): Promise<AsyncIterable<Uint8Array>> {
  const found = await stat(path).catch((error: unknown) => {
    const detail = error instanceof Error ? error.message : String(error);
    throw usage(`--batch cannot read ${path}: ${detail}`);
  });
  if (found.isDirectory()) throw usage(`--batch cannot read ${path}: it is a folder`);
  if (found.isFile() && found.size > BATCH_MAX_BYTES) throw tooLarge(`${found.size} bytes`);
  return createReadStream(path);
}

function tooLarge(what: string): NightporterError {
  return usage(
    `nothing was accepted: the batch is ${what}, the most is ${BATCH_MAX_BYTES} bytes and ${BATCH_MAX_LINES} lines: send it in parts`,
  );
}

function usage(message: string): NightporterError {
  return new NightporterError('usage', message);
}
