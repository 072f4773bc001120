import type { ErrorCode } from '../protocol/errors.js';
import { NightporterError } from '../protocol/errors.js';

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'permission denied: run it as the user who owns the data dir, or name another with --data-dir',
  EPERM: 'not permitted: run it as the user who owns the data dir, or name another with --data-dir',
  EROFS: 'the file system is read-only: name another data dir with --data-dir',
  ENOSPC: 'no space left on the device: make room and try again',
  EDQUOT: 'the disk quota is used up: make room and try again',
  ENOTDIR: 'a part of the path is a file, not a folder: name another with --data-dir',
  EISDIR: 'it is a folder, not a file',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ENOENT: 'no such file or folder',
};

/** Any error as a person should read it; the same on both sides of the socket. */
export function describeError(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (error instanceof NightporterError) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { code: 'failed', message: `unknown error: ${String(error)}` };
  const code = 'code' in error ? String(error.code) : '';
  const advice = ADVICE[code];
  if (advice === undefined)
    return { code: 'failed', message: `${error.message || error.name}${code ? ` (${code})` : ''}` };
  const where = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return { code: 'failed', message: `${where}${advice} (${code})` };
}
