import type { Streamed } from '../desk/api.js';
import type { StreamLine } from '../desk/wire.js';
import { NDJSON } from '../desk/wire.js';
import { errorBody } from './error-body.js';

const CHUNK_CHARS = 32 * 1024;

/** Rows as NDJSON, as fast as they are read; an error becomes the last line. */
export function streamRows(rows: AsyncIterable<Streamed<unknown>>): Response {
  const body = ReadableStream.from(encoded(lines(rows)));
  return new Response(body, { headers: { 'content-type': NDJSON } });
}

async function* lines(rows: AsyncIterable<Streamed<unknown>>): AsyncGenerator<StreamLine<unknown>> {
  try {
    for await (const row of rows) yield row;
    yield { end: true };
  } catch (error) {
    yield errorBody(error);
  }
}

async function* encoded(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = '';
  for await (const line of source) {
    text += `${JSON.stringify(line)}\n`;
    if (text.length < CHUNK_CHARS) continue;
    yield encoder.encode(text);
    text = '';
  }
  if (text !== '') yield encoder.encode(text);
}
