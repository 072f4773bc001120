import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const SOCKET_FILE = 'nightporter.sock';
/** Beside the data: where the socket is, when its own path would be too long. */
export const SOCKET_NOTE = 'nightporter.sock.path';
/** Node cuts longer paths silently; the kernel takes 107 bytes. */
export const SOCKET_PATH_MAX_BYTES = 100;

/** The socket's path in the data dir, where that is short enough. */
export function plainSocketPath(dataDir: string): string | undefined {
  const path = join(dataDir, SOCKET_FILE);
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES ? path : undefined;
}

/** Where a daemon of this data dir listens, if it runs; undefined: none has noted a place. */
export function findSocket(dataDir: string): string | undefined {
  const plain = plainSocketPath(dataDir);
  if (plain !== undefined) return plain;
  try {
    const noted = readFileSync(join(dataDir, SOCKET_NOTE), 'utf8').trim();
    return noted === '' ? undefined : noted;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
