import Database from 'better-sqlite3';
import { basename } from 'node:path';

/** Called around every commit of whichever database in this process; what it throws before one makes it fail. */
export interface CommitWatch {
  /** A row is about to be changed, or changes are kept or undone. */
  changed(): void;
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
    if (watch !== null && /^\s*(INSERT|UPDATE|DELETE|COMMIT|ROLLBACK)/i.test(this.source)) watch.changed();
    const isCommit =
      watch !== null &&
      (this.source === 'COMMIT' || (!this.database.inTransaction && /^\s*(INSERT|UPDATE|DELETE)/i.test(this.source)));
    if (!isCommit) return run.apply(this, values);
    const file = basename(this.database.name);
    watch?.before(file);
    const result = run.apply(this, values);
    watch?.after(file);
    return result;
  };
}
