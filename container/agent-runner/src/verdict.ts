import type { ErrorClass } from '../../../src/protocol/rows.js';
import { firstBytes, lastBytes } from './cut-text.js';
import type { Failed } from './provider.js';
import type { Report } from './stderr-reports.js';

/** How a program ended. */
export type ProgramEnd =
  /** It could not be started; `code` is the system's name of the reason. */
  | { readonly kind: 'not_started'; readonly code: string }
  | { readonly kind: 'too_much_output'; readonly maxBytes: number }
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: string };

/** Of a failure's text. */
export const MAX_ERROR_BYTES = 4096;
const EX_TEMPFAIL = 75;
const FIRST_SYSEXIT = 64;
const LAST_SYSEXIT = 78;

/**
 * What a program's end without success means: sysexits 64 to 78 are final but for 75 (EX_TEMPFAIL); any other code and
 * death by a signal may go away by themselves. What the program said of itself overrides that. undefined: success.
 */
export function judgeFailure(
  end: ProgramEnd,
  said: { readonly report: Report; readonly tail: string },
  program: string,
): Failed | undefined {
  switch (end.kind) {
    case 'not_started':
      return failure(isPassing(end.code) ? 'retryable' : 'fatal', startError(end.code, program), null);
    case 'too_much_output':
      return failure('fatal', `the answer is larger than ${String(end.maxBytes)} bytes`, null);
    case 'killed':
      return fromReport(said, 'retryable', `killed by ${end.signal}`);
    case 'exited': {
      if (end.code === 0) return undefined;
      const isSysexit = end.code >= FIRST_SYSEXIT && end.code <= LAST_SYSEXIT;
      return fromReport(
        said,
        isSysexit && end.code !== EX_TEMPFAIL ? 'fatal' : 'retryable',
        `exit code ${String(end.code)}`,
      );
    }
  }
}

function fromReport(
  said: { readonly report: Report; readonly tail: string },
  otherwise: ErrorClass,
  how: string,
): Failed {
  const errorClass = said.report.errorClass ?? otherwise;
  const text = said.report.error ?? (said.tail === '' ? how : withTail(how, said.tail));
  return failure(errorClass, text, errorClass === 'rate_limited' ? said.report.retryAtMs : null);
}

function failure(errorClass: ErrorClass, error: string, retryAtMs: number | null): Failed {
  return { kind: 'failed', errorClass, error: firstBytes(error, MAX_ERROR_BYTES), retryAtMs };
}

/** Of a long tail it is the end that tells. */
function withTail(how: string, tail: string): string {
  return `${how}: ${lastBytes(tail, MAX_ERROR_BYTES - Buffer.byteLength(how) - 2)}`;
}

/** Reasons of the machine, not of the program. */
function isPassing(code: string): boolean {
  return ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETXTBSY', 'EIO'].includes(code);
}

function startError(code: string, program: string): string {
  switch (code) {
    case 'ENOENT':
      return `program not found: ${program} (or the interpreter that it names)`;
    case 'EACCES':
      return `program may not be executed: ${program}`;
    default:
      return `program cannot be started: ${program} (${code})`;
  }
}
