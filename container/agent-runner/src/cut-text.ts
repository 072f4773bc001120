/** The first or last bytes of a text, without half a character. */
export function firstBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  let end = Math.max(0, Math.min(maxBytes, bytes.length));
  while (end > 0 && isInsideCharacter(bytes[end])) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}

export function lastBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  let start = Math.max(0, bytes.length - maxBytes);
  while (start < bytes.length && isInsideCharacter(bytes[start])) start += 1;
  return bytes.subarray(start).toString('utf8');
}

function isInsideCharacter(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
