import type { IncomingMessage } from 'node:http';
import { decodeUtf8, parseJson } from '../desk/parse-input.js';
import { NightporterError } from '../protocol/errors.js';

/**
 * A JSON body. One that is too large is read to its end without being kept: whoever sends it must get to read why.
 * @throws NightporterError `usage`
 */
export async function readJson(incoming: IncomingMessage, maxBytes: number): Promise<unknown> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bytesOf(incoming)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) chunks = [];
    else chunks.push(chunk);
  }
  if (bytes > maxBytes) {
    throw new NightporterError(
      'usage',
      `the request is ${bytes} bytes, the most is ${maxBytes} (MESSAGE_MAX_BYTES and a little): send less, or a path to it`,
    );
  }
  return bytes === 0 ? {} : parseJson(decodeUtf8(Buffer.concat(chunks)));
}

export async function* bytesOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array> {
  for await (const chunk of incoming) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}
