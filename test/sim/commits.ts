import Database from 'better-sqlite3';
import { basename } from 'node:path';

/** Called around every commit of whichever database in this process; what it throws before one makes it fail. */
export interface CommitWatch {
  /** A row of the file is about to be changed, or changes are kept or undone. */
  changed(file: string): void;
  before(file: string): void;
  after(file: string): void;
}

let watch: CommitWatch | null = null;
let isPatched = false;

/** At most one watch at a time; null: none. */
export function watchCommits(next: CommitWatch | null): void {
  patch();
  watch = next;
}

type Run = (...values: unknown[]) => unknown;

/** A COMMIT, or a statement that is a transaction of its own. */
function patch(): void {
  if (isPatched) return;
  isPatched = true;
  const statements = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as { run: Run };
  const run = statements.run;
  statements.run = function (this: Database.Statement, ...values: unknown[]): unknown {
    const kind = watch === null ? undefined : kindOf(this.source);
    if (kind === undefined) return run.apply(this, values);
    const file = basename(this.database.name);
    watch?.changed(file);
    if (kind === 'rollback' || (kind === 'change' && this.database.inTransaction)) return run.apply(this, values);
    watch?.before(file);
    const result = run.apply(this, values);
    watch?.after(file);
    return result;
  };
}

type Kind = 'change' | 'commit' | 'rollback';

const kinds = new Map<string, Kind | undefined>();

function kindOf(sql: string): Kind | undefined {
  if (kinds.has(sql)) return kinds.get(sql);
  const word = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? '';
  const kind = { INSERT: 'change', UPDATE: 'change', DELETE: 'change', COMMIT: 'commit', ROLLBACK: 'rollback' }[word];
  kinds.set(sql, kind as Kind | undefined);
  return kind as Kind | undefined;
}
