import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Server } from 'node:http';
import { plainSocketPath, SOCKET_FILE, SOCKET_NOTE, SOCKET_PATH_MAX_BYTES } from '../desk/socket-place.js';
import { NightporterError } from '../protocol/errors.js';

const FOLDER_PREFIX = 'nightporter-';

/**
 * Chooses where to listen and clears what a dead daemon left there. Only for the holder of the host lock: whatever
 * listens there now is not alive. A long path moves to XDG_RUNTIME_DIR or tmp, noted in the data dir.
 * @throws NightporterError `failed` when something else than a socket is in the way
 */
export function prepareSocket(dataDir: string, env: Readonly<Record<string, string | undefined>>): string {
  removeNoted(dataDir);
  const plain = plainSocketPath(dataDir);
  if (plain !== undefined) {
    removeSocket(plain);
    return plain;
  }
  // A folder of its own, mode 0700, with a name that nobody can take first.
  const folder = mkdtempSync(join(roomFor(env), FOLDER_PREFIX));
  const path = join(folder, SOCKET_FILE);
  writeFileSync(join(dataDir, SOCKET_NOTE), `${path}\n`, { mode: 0o600 });
  return path;
}

/** Listens with mode 0600 from the first moment. */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket file is made within this call.
    const before = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
  chmodSync(path, 0o600);
}

export function removeNoted(dataDir: string): void {
  const note = join(dataDir, SOCKET_NOTE);
  let path: string;
  try {
    path = readFileSync(note, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const folder = dirname(path);
  if (basename(path) === SOCKET_FILE && basename(folder).startsWith(FOLDER_PREFIX)) {
    removeSocket(path);
    try {
      rmdirSync(folder);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
    }
  }
  rmSync(note, { force: true });
}

function removeSocket(path: string): void {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return;
    throw error;
  }
  if (!isSocket) {
    throw new NightporterError('failed', `${path} is in the way of the daemon's socket and is no socket: move it away`);
  }
  rmSync(path, { force: true });
}

function roomFor(env: Readonly<Record<string, string | undefined>>): string {
  const spare = Buffer.byteLength(join(FOLDER_PREFIX, 'XXXXXX', SOCKET_FILE)) + 1;
  const places = [env['XDG_RUNTIME_DIR'], tmpdir(), '/tmp'];
  const place = places.find((path) => path?.startsWith('/') === true && fits(path, spare) && isFolder(path));
  if (place !== undefined) return place;
  throw new NightporterError(
    'failed',
    `no place for the daemon's socket: ${places.filter(Boolean).join(', ')} do not fit`,
  );
}

function fits(path: string, spare: number): boolean {
  return Buffer.byteLength(path) + spare <= SOCKET_PATH_MAX_BYTES;
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
