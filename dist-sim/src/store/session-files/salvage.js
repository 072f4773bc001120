import { writeInbound } from './inbound.js';
import { withDatabase } from './open-database.js';
/** The rows of a damaged inbound.db that can be read from its beginning and from its end; none where it has no table. */
export function salvageRows(settings, paths) {
    const rows = new Map();
    try {
        withDatabase(settings, paths, 'inbound.db', 'read', (database) => {
            for (const order of ['ASC', 'DESC'])
                readUntilDamage(database, order, rows);
        });
    }
    catch {
        // What was read until then is what there is.
    }
    return [...rows.values()];
}
function readUntilDamage(database, order, rows) {
    try {
        const read = database.prepare(`SELECT * FROM messages_in ORDER BY rowid ${order}`);
        for (const row of read.iterate()) {
            const { id } = row;
            if (typeof id === 'string' && !rows.has(id))
                rows.set(id, row);
        }
    }
    catch {
        // The damage: the other direction may get around it.
    }
}
/** Puts salvaged rows into a fresh inbound.db, each by itself: one that does not fit must not keep the others out. */
export function restoreRows(settings, paths, rows) {
    writeInbound(settings, paths, (database, shape) => {
        const known = shape.get('messages_in') ?? new Set();
        database
            .transaction(() => {
            for (const row of rows) {
                const columns = Object.keys(row).filter((column) => known.has(column));
                const names = columns.map((column) => `"${column}"`).join(', ');
                const places = columns.map(() => '?').join(', ');
                database
                    .prepare(`INSERT OR IGNORE INTO messages_in (${names}) VALUES (${places})`)
                    .run(...columns.map((column) => row[column]));
            }
        })
            .immediate();
        return {};
    });
}
//# sourceMappingURL=salvage.js.map