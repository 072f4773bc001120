import type { Streamed } from '../desk/api.js';
import { plainJson } from '../protocol/plain-text.js';
import type { CommandContext, Output } from './context.js';

const CHUNK_CHARS = 32 * 1024;

export async function printJson(output: Output, view: unknown): Promise<void> {
  await output.write(`${plainJson(JSON.stringify(view, undefined, 2))}\n`);
}

/** A JSON array, a row a line, never as one text. Problems go to stderr. */
export async function printJsonArray<T>(context: CommandContext, rows: AsyncIterable<Streamed<T>>): Promise<void> {
  let before = '[\n';
  const count = await printInChunks(context, rows, (row) => {
    const text = `${before}  ${plainJson(JSON.stringify(row))}`;
    before = ',\n';
    return text;
  });
  await context.output.write(count === 0 ? '[]\n' : '\n]\n');
}

/** @returns how many rows there were */
export async function printInChunks<T>(
  { output, readerGone }: CommandContext,
  rows: AsyncIterable<Streamed<T>>,
  show: (row: T) => string,
): Promise<number> {
  let text = '';
  let count = 0;
  for await (const line of rows) {
    if (readerGone.aborted) break;
    if ('problem' in line) {
      output.warn(line.problem);
      continue;
    }
    text += show(line.row);
    count += 1;
    if (text.length < CHUNK_CHARS) continue;
    await output.write(text);
    text = '';
  }
  if (text !== '') await output.write(text);
  return count;
}
