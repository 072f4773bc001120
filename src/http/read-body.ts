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

/** Refuses an upload by what it says of itself, before any of it is read. @throws NightporterError `usage` */
export function requireSize(name: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new NightporterError(
    'usage',
    `the attachment ${JSON.stringify(name.slice(0, 80))} is ${bytes} bytes, the most is ${maxBytes} (ATTACHMENT_MAX_BYTES): send less, or a path to it`,
  );
}

export async function* bytesOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array> {
  // Whoever stops in the middle still wants to answer.
  const chunks: AsyncIterable<unknown> = incoming.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}
