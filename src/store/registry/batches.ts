import type Database from 'better-sqlite3';
import { NightporterError } from '../../protocol/errors.js';
import { RowReader } from './rows.js';
import { foldAddress } from './sessions.js';
import { REOPENED, SPOOL_COLUMNS, contentHash, isClosedForGood, spoolRow } from './spool.js';
import type { AcceptBatch, AcceptResult, AcceptedMessage, Registry } from '../../ports/registry.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Connection } from './connection.js';

type Batches = Pick<Registry, 'acceptAll' | 'beginBatch'>;
type Refusals = ReturnType<AcceptBatch['commit']>['refused'];

/** From here on it pays to count what was put into the spool once, and not a row at a time. */
const MANY_ROWS = 500;
const TRIGGER = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'spool_counted_in'";
/** More than any batch has messages. */
const PLACES = 2 ** 32;

/** What one session gets from a batch. */
interface Share {
  count: number;
  lastAtMs: number;
  /** null: nothing that wakes. */
  dueAtMs: number | null;
}

/**
 * Batches are put together in a temporary table, which a crash takes along, over as many turns as their writer likes. One
 * commit then moves all rows: what it does for a row is a fraction of what a single `accept` does.
 */
export function batches(connection: Connection): Batches {
  let last = 0;
  let prepared: Statements | undefined;

  const beginBatch = (): AcceptBatch => {
    if (connection.readonly) throw new NightporterError('refused', 'the registry was opened for reading only');
    prepared ??= prepare(connection);
    last += 1;
    return new Batch(connection, prepared, last);
  };

  return {
    beginBatch,
    acceptAll: (messages) => {
      const batch = beginBatch();
      try {
        batch.add(messages);
        return batch.commit();
      } finally {
        batch.discard();
      }
    },
  };
}

interface Statements {
  readonly put: Database.Statement;
  readonly known: Database.Statement;
  readonly forget: Database.Statement;
  readonly places: Database.Statement;
  readonly sessions: Database.Statement;
  readonly placeSessions: Database.Statement;
  readonly insertHashes: Database.Statement;
  readonly insertRows: Database.Statement;
  readonly clear: Database.Statement;
}

function prepare(connection: Connection): Statements {
  const columns = SPOOL_COLUMNS.map(([column]) => column).join(', ');
  const values = SPOOL_COLUMNS.map(([, name]) => `@${name}`).join(', ');
  connection.read(() =>
    connection.db.exec(`CREATE TEMP TABLE IF NOT EXISTS batched
      (place INTEGER PRIMARY KEY, content_hash BLOB, ${columns})`),
  );
  return {
    put: connection.prepare(
      `INSERT INTO temp.batched (place, content_hash, ${columns}) VALUES (@place, @hash, ${values})`,
    ),
    known: connection.prepare(
      `SELECT b.place, b.session, b.content_hash = a.content_hash AS same
       FROM temp.batched b CROSS JOIN accepted a ON a.session = b.session AND a.id = b.id WHERE b.place BETWEEN ? AND ?`,
    ),
    forget: connection.prepare('DELETE FROM temp.batched WHERE place = ?'),
    places: connection.prepare('SELECT place FROM temp.batched WHERE place BETWEEN ? AND ? AND session = ?'),
    // As one statement each: thousands of sessions at a time take a quarter of what they take one by one.
    sessions: connection.prepare(
      `SELECT j.key AS share, s.address, s.status, s.close_reason FROM json_each(?) j JOIN sessions s ON s.folded = j.value ->> 1`,
    ),
    placeSessions: connection.prepare(
      `INSERT INTO sessions (address, folded, created_at, last_active_at, due_mark, next_due_at, spooled)
       SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 2, 1, value ->> 3, value ->> 4 FROM json_each(?) WHERE true
       ON CONFLICT (address) DO UPDATE SET ${REOPENED}, due_mark = due_mark + 1, spooled = spooled + excluded.spooled,
         last_active_at = max(coalesce(last_active_at, excluded.last_active_at), excluded.last_active_at),
         next_due_at = coalesce(min(coalesce(next_due_at, excluded.next_due_at), excluded.next_due_at), next_due_at)`,
    ),
    insertHashes: connection.prepare(
      `INSERT INTO accepted (session, id, content_hash)
       SELECT session, id, content_hash FROM temp.batched WHERE place BETWEEN ? AND ? ORDER BY session, id`,
    ),
    insertRows: connection.prepare(
      `INSERT INTO spool (${columns}) SELECT ${columns} FROM temp.batched WHERE place BETWEEN ? AND ? ORDER BY place`,
    ),
    clear: connection.prepare('DELETE FROM temp.batched WHERE place BETWEEN ? AND ?'),
  };
}

/** Carries the answer out of a transaction that is rolled back. */
class Refused extends Error {
  readonly refusals: Refusals;
  constructor(refusals: Refusals) {
    super('refused');
    this.refusals = refusals;
  }
}

class Batch implements AcceptBatch {
  readonly #connection: Connection;
  readonly #sql: Statements;
  /** Places of this batch in the table, those of others before and after it. */
  readonly #from: number;
  #added = 0;
  #repeated = 0;
  readonly #refused: Refusals[number][] = [];
  /** Content hashes of what is in the batch already, by session and id. */
  readonly #seen = new Map<string, Buffer>();
  readonly #shares = new Map<SessionAddress, Share>();
  readonly #folded = new Map<string, SessionAddress>();

  constructor(connection: Connection, sql: Statements, number: number) {
    this.#connection = connection;
    this.#sql = sql;
    this.#from = number * PLACES;
  }

  get #places(): readonly [number, number] {
    return [this.#from, this.#from + PLACES - 1];
  }

  add(messages: readonly AcceptedMessage[]): void {
    this.#connection.write(() => {
      for (const entry of messages) {
        this.#addOne(entry, this.#added);
        this.#added += 1;
      }
    });
  }

  #addOne(entry: AcceptedMessage, index: number): void {
    const { session, message } = entry;
    const key = `${session} ${message.id}`;
    const hash = contentHash(message);
    const before = this.#seen.get(key);
    if (before !== undefined) {
      if (before.equals(hash)) this.#repeated += 1;
      else this.#refused.push({ index, result: { kind: 'conflict' } });
      return;
    }
    const twin = this.#findTwin(session);
    if (twin !== undefined) {
      this.#refused.push({ index, result: { kind: 'case_twin', other: twin } });
      return;
    }
    this.#seen.set(key, hash);
    this.#sql.put.run({ place: this.#from + index, hash, ...spoolRow(entry) });
    this.#share(entry);
  }

  /** Another session of this batch that differs only in case. */
  #findTwin(session: SessionAddress): SessionAddress | undefined {
    const folded = foldAddress(session);
    const first = this.#folded.get(folded);
    if (first === undefined) this.#folded.set(folded, session);
    return first === session ? undefined : first;
  }

  #share({ session, message, acceptedAtMs }: AcceptedMessage): void {
    const dueAtMs = message.trigger ? (message.processAfterMs ?? acceptedAtMs) : null;
    const share = this.#shares.get(session);
    if (share === undefined) {
      this.#shares.set(session, { count: 1, lastAtMs: acceptedAtMs, dueAtMs });
      return;
    }
    share.count += 1;
    share.lastAtMs = Math.max(share.lastAtMs, acceptedAtMs);
    if (dueAtMs !== null) share.dueAtMs = Math.min(share.dueAtMs ?? dueAtMs, dueAtMs);
  }

  commit(): ReturnType<AcceptBatch['commit']> {
    try {
      return this.#connection.write(() => {
        const duplicates = this.#repeated + this.#forgetKnown();
        if (this.#added < MANY_ROWS) this.#moveRows('counted_by_trigger');
        else
          this.#withoutTrigger(() => {
            this.#moveRows('counted_here');
          });
        return { refused: [], accepted: this.#added - duplicates, duplicates };
      });
    } catch (error) {
      if (error instanceof Refused) return { refused: error.refusals, accepted: 0, duplicates: 0 };
      throw error;
    }
  }

  discard(): void {
    this.#connection.read(() => this.#sql.clear.run(...this.#places));
  }

  /** Takes out what was accepted before; how many there were. */
  #forgetKnown(): number {
    const rows = this.#sql.known.all(...this.#places).map((row) => new RowReader('accepted', row));
    for (const cells of rows) {
      const place = cells.count('place');
      if (!cells.flag('same')) this.#refused.push({ index: place - this.#from, result: { kind: 'conflict' } });
      this.#sql.forget.run(place);
      const share = this.#shares.get(cells.address('session').address);
      if (share !== undefined) share.count -= 1;
    }
    return rows.length;
  }

  #moveRows(spooled: 'counted_by_trigger' | 'counted_here'): void {
    const shares = [...this.#shares]
      .filter(([, { count }]) => count > 0)
      .map(([session, { count, lastAtMs, dueAtMs }]) => {
        return [session, foldAddress(session), lastAtMs, dueAtMs, spooled === 'counted_here' ? count : 0] as const;
      });
    const json = JSON.stringify(shares);
    for (const row of this.#sql.sessions.all(json)) {
      const cells = new RowReader('sessions', row);
      const session = shares[cells.count('share')]?.[0];
      if (session === undefined) continue;
      const result = refusalOf(session, cells);
      if (result !== undefined) for (const index of this.#indexesOf(session)) this.#refused.push({ index, result });
    }
    if (this.#refused.length > 0) throw new Refused(this.#refused.sort((a, b) => a.index - b.index));
    this.#sql.placeSessions.run(json);
    this.#sql.insertHashes.run(...this.#places);
    this.#sql.insertRows.run(...this.#places);
  }

  #indexesOf(session: SessionAddress): readonly number[] {
    const rows = this.#sql.places.all(...this.#places, session);
    return rows.map((row) => new RowReader('batched', row).count('place') - this.#from);
  }

  /** Within the transaction: the trigger counts a row at a time, and that takes most of the time. */
  #withoutTrigger(work: () => void): void {
    const { db } = this.#connection;
    const sql = db.prepare<[], string>(TRIGGER).pluck().get();
    if (sql === undefined) throw new Error('registry.db has no trigger spool_counted_in');
    db.exec('DROP TRIGGER spool_counted_in');
    work();
    db.exec(sql);
  }
}

/** Why a session's messages cannot be accepted, where `cells` are of the row with its name in whatever case. */
function refusalOf(session: SessionAddress, cells: RowReader): AcceptResult | undefined {
  const { address } = cells.address('address');
  if (address !== session) return { kind: 'case_twin', other: address };
  return isClosedForGood(cells) ? { kind: 'session_closed' } : undefined;
}
