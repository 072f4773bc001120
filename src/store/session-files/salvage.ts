import { writeInbound } from './inbound.js';
import { withDatabase, type FilesSettings, type SqliteDatabase } from './open-database.js';
import type { SessionPaths } from './session-paths.js';

type Row = Readonly<Record<string, string | number | null>>;

/** The rows of a damaged inbound.db that can be read from its beginning and from its end; none where it has no table. */
export function salvageRows(settings: FilesSettings, paths: SessionPaths): readonly Row[] {
  const rows = new Map<string, Row>();
  try {
    withDatabase(settings, paths, 'inbound.db', 'read', (database) => {
      for (const order of ['ASC', 'DESC']) readUntilDamage(database, order, rows);
    });
  } catch {
    // What was read until then is what there is.
  }
  return [...rows.values()];
}

function readUntilDamage(database: SqliteDatabase, order: string, rows: Map<string, Row>): void {
  try {
    const read = database.prepare<[], Row>(`SELECT * FROM messages_in ORDER BY rowid ${order}`);
    for (const row of read.iterate()) {
      const { id } = row;
      if (typeof id === 'string' && !rows.has(id)) rows.set(id, row);
    }
  } catch {
    // The damage: the other direction may get around it.
  }
}

/** Puts salvaged rows into a fresh inbound.db, each by itself: one that does not fit must not keep the others out. */
export function restoreRows(settings: FilesSettings, paths: SessionPaths, rows: readonly Row[]): void {
  writeInbound(settings, paths, (database, shape) => {
    const known = shape.get('messages_in') ?? new Set<string>();
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
