import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { requireAttachmentName } from '../desk/attachment-names.js';
import { NightporterError } from '../protocol/errors.js';

const CHUNK_BYTES = 256 * 1024;
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** A file to be sent along, held open. */
export interface OpenAttachment {
  readonly name: string;
  readonly size: number;
  readonly bytes: () => AsyncIterable<Uint8Array>;
  readonly close: () => Promise<void>;
}

/**
 * Opens the files that were named, none through a link at the end of its path.
 * @throws NightporterError `usage` that says which and why; nothing is left open then
 */
export async function openAttachments(paths: readonly string[]): Promise<readonly OpenAttachment[]> {
  const opened: OpenAttachment[] = [];
  try {
    for (const path of paths) opened.push(await openOne(path));
    return opened;
  } catch (error) {
    await closeAttachments(opened);
    throw error;
  }
}

export async function closeAttachments(files: readonly OpenAttachment[]): Promise<void> {
  for (const file of files) await file.close();
}

async function openOne(path: string): Promise<OpenAttachment> {
  const name = basename(path);
  requireAttachmentName(name);
  // Before it is opened: a device may do something when it is.
  requireFile(path, await asked(path, lstat(path)));
  const handle = await asked(path, open(path, FLAGS));
  try {
    const stats = await handle.stat();
    requireFile(path, stats);
    const { size } = stats;
    return { name, size, bytes: () => read(handle, path, size), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function requireFile(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  const kind = stats.isSymbolicLink()
    ? 'a link: name the file that it leads to'
    : `${kindOf(stats)}, not a regular file`;
  throw cannot(path, `it is ${kind}`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a fifo';
  return stats.isSocket() ? 'a socket' : 'a device';
}

async function* read(handle: FileHandle, path: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(CHUNK_BYTES, size - at)), 0, null, at);
    if (bytesRead === 0) {
      throw new NightporterError('failed', `${path} became shorter while it was read: nothing was sent, try again`);
    }
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function asked<T>(path: string, answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ELOOP') throw cannot(path, 'it is a link: name the file that it leads to');
    throw cannot(path, error instanceof Error ? error.message : String(error));
  });
}

function cannot(path: string, why: string): NightporterError {
  return new NightporterError('usage', `--attach cannot send ${path}: ${why}`);
}
