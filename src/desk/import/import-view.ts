import type { ImportNote } from '../../core/import/foreign.js';
import type { ErrorCode } from '../../protocol/errors.js';

/** What an import did, or would do. */
export interface ImportView {
  readonly dryRun: boolean;
  /** Real path of the installation. */
  readonly source: string;
  readonly sessions: readonly ImportedSessionView[];
  readonly counts: Readonly<Record<'brought' | 'known' | 'left' | keyof ImportCounts, number>>;
  /** Why it ended before its last session, and at which; null: it did not. What is listed was brought all the same. */
  readonly aborted: ImportAborted | null;
  /** What is said of no single session. */
  readonly notes: readonly ImportNoteView[];
}

export interface ImportAborted {
  readonly session: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface ImportedSessionView {
  /** As it was called there: id of the group and of the session. */
  readonly from: string;
  readonly session: string;
  /** `known`: it was brought before, and is left as it is. */
  readonly state: 'brought' | 'known' | 'left';
  /** Of one that is left. */
  readonly why: string | null;
  readonly status: 'active' | 'closed';
  readonly provider: string | null;
  readonly counts: ImportCounts;
  readonly notes: readonly ImportNoteView[];
}

export interface ImportCounts {
  readonly pending: number;
  readonly paused: number;
  readonly completed: number;
  readonly failed: number;
  readonly series: number;
  readonly answers: number;
  readonly files: number;
  readonly resumeIds: number;
}

/** The same thing, said of so many. */
export interface ImportNoteView {
  readonly kind: ImportNote['kind'];
  readonly reason: string;
  readonly count: number;
  /** What it was said of first. */
  readonly first: string;
}

export const NOTHING: ImportCounts = {
  pending: 0,
  paused: 0,
  completed: 0,
  failed: 0,
  series: 0,
  answers: 0,
  files: 0,
  resumeIds: 0,
};

export function sumOf(counts: readonly ImportCounts[]): ImportCounts {
  const sum: Record<keyof ImportCounts, number> = { ...NOTHING };
  for (const one of counts) for (const name of Object.keys(NOTHING) as (keyof ImportCounts)[]) sum[name] += one[name];
  return sum;
}

/** Notes put together by what they say. */
export class NoteBook {
  readonly #notes = new Map<string, ImportNoteView>();

  add(...notes: readonly ImportNote[]): void {
    for (const { kind, reason, of } of notes) {
      const key = `${kind} ${reason}`;
      const before = this.#notes.get(key);
      this.#notes.set(
        key,
        before === undefined ? { kind, reason, count: 1, first: of } : { ...before, count: before.count + 1 },
      );
    }
  }

  left(reason: string, of: string): void {
    this.add({ kind: 'left', reason, of });
  }

  get all(): readonly ImportNoteView[] {
    return [...this.#notes.values()];
  }
}
