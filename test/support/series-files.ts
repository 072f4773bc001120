import { join } from 'node:path';
import Database from 'better-sqlite3';

export interface InboundRow {
  readonly id: string;
  readonly status: string;
  readonly recurrence: string | null;
  readonly series_id: string | null;
  readonly occurrence: string | null;
  readonly process_after: string | null;
  readonly content: string;
}

/** All rows of a session's messages_in, by seq. */
export function inboundRows(dataDir: string, session: string): readonly InboundRow[] {
  const db = new Database(join(dataDir, 'sessions', session, 'in', 'inbound.db'), { readonly: true });
  try {
    return db.prepare<[], InboundRow>('SELECT * FROM messages_in ORDER BY seq').all();
  } finally {
    db.close();
  }
}

/** As its container would: takes the message's first attempt. */
export function claimed(dataDir: string, session: string, id: string): void {
  const db = new Database(join(dataDir, 'sessions', session, 'out', 'outbound.db'));
  db.prepare(
    "INSERT INTO processing_ack (message_id, status, status_changed, attempt) VALUES (?, 'processing', ?, 0)",
  ).run(id, new Date().toISOString());
  db.close();
}

/** Does something to a session's inbound.db by hand. */
export function byHand(dataDir: string, session: string, work: (db: Database.Database) => unknown): void {
  const db = new Database(join(dataDir, 'sessions', session, 'in', 'inbound.db'));
  work(db);
  db.close();
}
