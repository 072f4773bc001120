/** A line of a byte stream; `bytes` undefined: longer than the limit, its bytes were dropped. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
}

const NEWLINE = 0x0a;

/**
 * Splits a stream at newlines, one line in memory at a time. The last line needs no newline.
 * @param maxBytes longest line that is kept
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let number = 1;
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const add = (part: Uint8Array): void => {
    bytes += part.byteLength;
    if (bytes > maxBytes) parts = [];
    else parts.push(part);
  };
  const take = (): Line => {
    const line = { number, bytes: bytes > maxBytes ? undefined : Buffer.concat(parts) };
    number += 1;
    parts = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      yield take();
    }
    add(chunk.subarray(start));
  }
  if (bytes > 0) yield take();
}
