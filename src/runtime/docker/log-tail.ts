const HEADER_BYTES = 8;

/**
 * The end of a container's output, stdout and stderr in the order in which they came, as text of at most `maxBytes`.
 * What is not UTF-8 is replaced.
 */
export function tailText(frames: Buffer, maxBytes: number): string {
  const output = payloads(frames);
  let start = Math.max(0, output.length - maxBytes);
  let text = decode(output, start);
  // A replaced byte takes three, so what fits as bytes may not fit as text.
  while (Buffer.byteLength(text) > maxBytes) {
    start += Math.max(1, Math.ceil((Buffer.byteLength(text) - maxBytes) / 3));
    text = decode(output, start);
  }
  return text;
}

/** The engine's frames: stream number, three zeros, length (big endian), bytes. Without them (a terminal) it is raw. */
function payloads(frames: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= frames.length) {
    if (frames.readUInt8(at) > 2 || frames.readUIntBE(at + 1, 3) !== 0) return frames;
    const end = at + HEADER_BYTES + frames.readUInt32BE(at + 4);
    parts.push(frames.subarray(at + HEADER_BYTES, Math.min(end, frames.length)));
    at = end;
  }
  return parts.length === 0 ? frames : Buffer.concat(parts);
}

function decode(output: Buffer, start: number): string {
  let from = start;
  // The rest of a character whose beginning was cut off.
  while (start > 0 && from < output.length && from < start + 3 && ((output[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return output.toString('utf8', from);
}
