import { open } from 'node:fs/promises';
import { OLDER_OUTPUT_FILE, OUTPUT_FILE } from './container-files.js';

/** The end of a container's output, at most `maxBytes` of UTF-8; empty where there is none. */
export async function readOutputTail(folder: string, maxBytes: number): Promise<string> {
  const newer = await readEnd(`${folder}/${OUTPUT_FILE}`, maxBytes);
  const missing = maxBytes - newer.length;
  const older = missing > 0 ? await readEnd(`${folder}/${OLDER_OUTPUT_FILE}`, missing) : Buffer.alloc(0);
  return decodeTail(Buffer.concat([older, newer]), maxBytes);
}

/** Invalid UTF-8 becomes U+FFFD, which may be longer than what it stands for: cut again, between characters. */
export function decodeTail(bytes: Buffer, maxBytes: number): string {
  const text = cutToCharacter(bytes, maxBytes).toString('utf8');
  const encoded = Buffer.from(text);
  return encoded.length <= maxBytes ? text : cutToCharacter(encoded, maxBytes).toString('utf8');
}

/** The last `maxBytes` bytes, without the rest of a character whose beginning was cut off. */
function cutToCharacter(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length <= maxBytes) return bytes;
  let start = bytes.length - maxBytes;
  for (let skipped = 0; skipped < 3 && isContinuation(bytes[start]); skipped += 1) start += 1;
  return bytes.subarray(start);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

async function readEnd(file: string, maxBytes: number): Promise<Buffer> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
