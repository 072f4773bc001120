import type { Refused } from '../../ports/nanoclaw.js';
import { oneLine } from '../../protocol/plain-text.js';
import { codeOf } from '../session-files/finding.js';

const WHY_MAX_CHARS = 300;

/** Something of the installation cannot be read, or must not be: told to the operator, never a fault of this machine. */
export class Unreadable extends Error {}

/** Of the installation's folders and files: permission and the like. */
const OF_A_FILE = /^(SQLITE_|EACCES|EPERM|EIO|ENOENT|ENOTDIR|EISDIR|ENAMETOOLONG|ELOOP)/;

/** Runs a reading operation; what it finds wrong with what it reads becomes its outcome. */
export function readOf<T extends object>(work: () => T): (T & { readonly kind: 'ok' }) | Refused {
  try {
    return { ...work(), kind: 'ok' };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = codeOf(error);
    if (error instanceof Unreadable) return { kind: 'refused', why: short(error.message) };
    if (code === undefined || !OF_A_FILE.test(code) || /^SQLITE_(FULL|IOERR_WRITE)/.test(code)) throw error;
    return { kind: 'refused', why: short(`${code}: ${error.message}`) };
  }
}

function short(text: string): string {
  return oneLine(text).slice(0, WHY_MAX_CHARS);
}
