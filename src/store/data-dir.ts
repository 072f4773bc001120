import { accessSync, closeSync, constants, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DiskFull, NightporterError } from '../protocol/errors.js';

/**
 * Makes the data dir (0700, on disk when this returns) where there is none, and checks that it can be written.
 * Returns its absolute path. Errors: NightporterError.
 */
export function openDataDir(path: string): string {
  const dataDir = resolve(path);
  try {
    const firstMade = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (firstMade !== undefined) syncFolders(dataDir, dirname(firstMade));
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return dataDir;
  } catch (error) {
    throw explain(error, dataDir);
  }
}

/** The absolute path of a data dir that must exist; `not_found` otherwise. Makes nothing. */
export function requireDataDir(path: string): string {
  const dataDir = resolve(path);
  let isDirectory: boolean;
  try {
    isDirectory = statSync(dataDir).isDirectory();
  } catch (error) {
    throw explain(error, dataDir);
  }
  if (!isDirectory) throw notADirectory(dataDir);
  return dataDir;
}

/** From the innermost to the one that existed before: a folder is on disk when its parent is. */
function syncFolders(innermost: string, outermost: string): void {
  for (let folder = innermost; ; folder = dirname(folder)) {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (folder === outermost || folder === dirname(folder)) return;
  }
}

function explain(error: unknown, dataDir: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const cause = { cause: error };
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return notADirectory(dataDir, cause);
    case 'ENOENT':
      return new NightporterError(
        'not_found',
        `there is no data dir ${dataDir}: start the daemon, or name another one with --data-dir`,
        cause,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new NightporterError(
        'failed',
        `the data dir ${dataDir} cannot be used (${code}): give this user the right to write there, or name another ` +
          'one with --data-dir',
        cause,
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return new DiskFull(`no space left for the data dir ${dataDir}: free some space and try again`, cause);
    default:
      return error;
  }
}

function notADirectory(dataDir: string, options?: { cause: unknown }): NightporterError {
  return new NightporterError(
    'failed',
    `the data dir ${dataDir} is no directory: move that file away, or name another one with --data-dir`,
    options,
  );
}
