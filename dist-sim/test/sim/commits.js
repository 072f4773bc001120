import Database from 'better-sqlite3';
import { basename } from 'node:path';
let watch = null;
let isPatched = false;
/** At most one watch at a time; null: none. */
export function watchCommits(next) {
    patch();
    watch = next;
}
/** A COMMIT, or a statement that is a transaction of its own. */
function patch() {
    if (isPatched)
        return;
    isPatched = true;
    const statements = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1'));
    const run = statements.run;
    statements.run = function (...values) {
        const isCommit = watch !== null &&
            (this.source === 'COMMIT' || (!this.database.inTransaction && /^\s*(INSERT|UPDATE|DELETE)/i.test(this.source)));
        if (!isCommit)
            return run.apply(this, values);
        const file = basename(this.database.name);
        watch?.before(file);
        const result = run.apply(this, values);
        watch?.after(file);
        return result;
    };
}
//# sourceMappingURL=commits.js.map