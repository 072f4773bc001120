import type { CorruptFile, FilesOutcome } from '../../ports/session-files.js';
import { oneLine } from '../../protocol/plain-text.js';

export type BadOutcome = Exclude<FilesOutcome<unknown>, { readonly kind: 'ok' }>;

/** Carries an expected outcome up to the edge of an operation; never leaves the child. */
export class Finding extends Error {
  readonly outcome: BadOutcome;
  constructor(outcome: BadOutcome) {
    super(outcome.kind);
    this.name = 'Finding';
    this.outcome = outcome;
  }
}

export function missing(): Finding {
  return new Finding({ kind: 'missing' });
}

export function busy(file: string, detail: string): Finding {
  return new Finding({ kind: 'busy', file, detail });
}

/** `detail` may name what the container named: it is told to operators, on one line. */
export function hostile(file: string, detail: string): Finding {
  return new Finding({ kind: 'hostile', file, detail: oneLine(detail) });
}

export function corrupt(file: CorruptFile, detail: string, signature: string): Finding {
  return new Finding({ kind: 'corrupt', file, detail: oneLine(detail), signature });
}

/** Runs an operation; what it finds wrong with the files becomes its outcome, faults of the machine are thrown. */
export function outcomeOf<T extends object>(work: () => T): FilesOutcome<T> {
  try {
    return { ...work(), kind: 'ok' };
  } catch (error) {
    if (error instanceof Finding) return error.outcome;
    throw error;
  }
}

/** The `code` of a system or SQLite error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
