import { createRequire, Module } from 'node:module';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
const require = createRequire(import.meta.url);
const place = require.resolve('better-sqlite3');
const Real = require(place);
const kept = new Map();
function Shared(path, options = {}) {
    if (!/^(in|out)bound\.db$/.test(basename(path)))
        return new Real(path, options);
    const key = `${options.readonly === true ? 'read' : 'write'} ${path}`;
    const inode = statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
    const known = kept.get(key);
    if (known !== undefined && !known.isOpen && known.inode === inode) {
        known.isOpen = true;
        return known.db;
    }
    if (known?.isOpen === false)
        known.close();
    const db = new Real(path, options);
    const now = inode ?? statSync(path, { bigint: true }).ino;
    if (known?.isOpen !== true)
        keep(key, db, now);
    return db;
}
function keep(key, db, inode) {
    const close = db.close.bind(db);
    const one = { db, inode, close, isOpen: true };
    const prepare = db.prepare.bind(db);
    const statements = new Map();
    Object.defineProperty(db, 'close', {
        value: () => {
            if (db.inTransaction)
                db.exec('ROLLBACK');
            one.isOpen = false;
            return db;
        },
    });
    Object.defineProperty(db, 'prepare', {
        value: (sql) => {
            const before = statements.get(sql);
            if (before !== undefined && !before.busy) {
                if (before.reader)
                    before.raw(false).pluck(false);
                return before;
            }
            const statement = prepare(sql);
            statements.set(sql, statement);
            return statement;
        },
    });
    kept.set(key, one);
}
/** Closes all of them, before their folder is removed. */
export function closeHandles() {
    for (const { close } of kept.values())
        close();
    kept.clear();
}
Object.assign(Shared, { SqliteError: Real.SqliteError, prototype: Real.prototype });
// A module of its own: what imports it from now on gets it, the real one keeps what it has.
const replaced = new Module(place);
Object.assign(replaced, { exports: Shared, filename: place, loaded: true });
require.cache[place] = replaced;
//# sourceMappingURL=shared-handles.js.map