import { RowReader } from './rows.js';
import { SELECT_SESSIONS, sessionOf } from './sessions.js';
import type { ConversationRecord, Registry, SessionRecord } from '../../ports/registry.js';
import type { ChannelKey, SessionAddress } from '../../protocol/address.js';
import type { Connection } from './connection.js';

type Life = Pick<
  Registry,
  | 'idleSince'
  | 'closedSince'
  | 'removals'
  | 'isBeingRemoved'
  | 'forgetRemoval'
  | 'findConversation'
  | 'saveConversation'
  | 'idleConversations'
  | 'dropConversation'
  | 'prunes'
  | 'beginPrune'
  | 'endPrune'
  | 'compact'
>;

const PAGE_ROWS = 200;
/** At a time: about a millisecond each. */
const PAGES_FREED = 256;

const idleAt = 'coalesce(s.last_active_at, s.created_at)';
const closedAt = 'coalesce(s.closed_at, s.created_at)';

const pageOf = (at: string, status: string): string =>
  `${SELECT_SESSIONS} WHERE s.status = '${status}' AND s.pinned = 0 AND ${at} < @before AND (${at}, s.address) > (@afterAt, @afterAddress)
   ORDER BY ${at}, s.address LIMIT @limit`;

export function life(connection: Connection): Life {
  const selectIdle = connection.prepare(pageOf(idleAt, 'active'));
  const selectClosed = connection.prepare(pageOf(closedAt, 'closed'));
  const selectRemovals = connection.prepare('SELECT session AS address FROM removals ORDER BY session LIMIT ?');
  const selectRemoval = connection.prepare('SELECT 1 FROM removals WHERE session = ?');
  const removeRemoval = connection.prepare('DELETE FROM removals WHERE session = ?');
  const selectConversation = connection.prepare('SELECT * FROM conversations WHERE channel = ?');
  const upsertConversation = connection.prepare(
    `INSERT INTO conversations (channel, session, created_at, last_active_at) VALUES (@channel, @session, @at, @at)
     ON CONFLICT (channel) DO UPDATE SET session = @session, last_active_at = max(last_active_at, @at)`,
  );
  const selectIdleConversations = connection.prepare(
    `SELECT * FROM conversations WHERE last_active_at < @before AND (last_active_at, channel) > (@afterAt, @afterChannel)
     ORDER BY last_active_at, channel LIMIT @limit`,
  );
  const removeConversation = connection.prepare('DELETE FROM conversations WHERE channel = ? AND last_active_at < ?');

  const selectPrunes = connection.prepare('SELECT id FROM prunes WHERE session = ? ORDER BY id');
  const removePrunes = connection.prepare('DELETE FROM prunes WHERE session = ?');
  const insertPrune = connection.prepare('INSERT OR IGNORE INTO prunes (session, id) VALUES (?, ?)');
  const recount = connection.prepare(
    'UPDATE sessions SET completed = @completed, failed = @failed, purged = @purged WHERE address = @session',
  );
  const forget = ['prunes', 'accepted', 'turn_ends', 'replays'].map((table) =>
    connection.prepare(`DELETE FROM ${table} WHERE session = ? AND id = ?`),
  );

  function* pages(
    select: ReturnType<Connection['prepare']>,
    beforeMs: number,
    atOf: (record: SessionRecord) => number,
  ): Generator<readonly SessionRecord[]> {
    let after = { afterAt: Number.MIN_SAFE_INTEGER, afterAddress: '' };
    for (;;) {
      // By pages: an open cursor would forbid every write on this connection.
      const values = { before: beforeMs, limit: PAGE_ROWS, ...after };
      const page = connection.read(() => select.all(values).map(sessionOf));
      const last = page.at(-1);
      if (last === undefined) return;
      after = { afterAt: atOf(last), afterAddress: last.address };
      yield page;
    }
  }

  return {
    idleSince: (beforeMs) =>
      pages(selectIdle, beforeMs, ({ lastActiveMs, createdAtMs }) => lastActiveMs ?? createdAtMs),
    closedSince: (beforeMs) =>
      pages(selectClosed, beforeMs, ({ closedAtMs, createdAtMs }) => closedAtMs ?? createdAtMs),

    removals: (limit) =>
      connection.read(() =>
        selectRemovals.all(limit).map((row) => new RowReader('removals', row).address('address').address),
      ),
    isBeingRemoved: (session) => connection.read(() => selectRemoval.get(session) !== undefined),
    forgetRemoval: (session: SessionAddress) => {
      connection.write(() => removeRemoval.run(session));
    },

    findConversation: (channel) =>
      connection.read(() => {
        const row = selectConversation.get(channel);
        return row === undefined ? undefined : conversationOf(row);
      }),
    saveConversation: (channel, session, atMs) => {
      connection.write(() => upsertConversation.run({ channel, session, at: atMs }));
    },
    *idleConversations(beforeMs) {
      let after = { afterAt: Number.MIN_SAFE_INTEGER, afterChannel: '' };
      for (;;) {
        const values = { before: beforeMs, limit: PAGE_ROWS, ...after };
        const page = connection.read(() => selectIdleConversations.all(values).map(conversationOf));
        const last = page.at(-1);
        if (last === undefined) return;
        after = { afterAt: last.lastActiveMs, afterChannel: last.channel };
        yield page;
      }
    },
    dropConversation: (channel, beforeMs) =>
      connection.write(() => removeConversation.run(channel, beforeMs).changes > 0),

    prunes: (session) =>
      connection.read(() => selectPrunes.all(session).map((row) => new RowReader('prunes', row).messageId('id'))),
    beginPrune: (session, ids) => {
      connection.write(() => {
        removePrunes.run(session);
        for (const id of ids) insertPrune.run(session, id);
      });
    },
    endPrune: (session, ids, left) => {
      connection.write(() => {
        recount.run({ session, ...left });
        for (const id of ids) for (const statement of forget) statement.run(session, id);
      });
    },

    compact: () =>
      connection.read(() => {
        const { db } = connection;
        const pragma = (name: string): number => Number(db.pragma(name, { simple: true }));
        const facts = (): { readonly pages: number; readonly free: number; readonly bytes: number } => {
          const pages = pragma('page_count');
          return { pages, free: pragma('freelist_count'), bytes: pages * pragma('page_size') };
        };
        return {
          facts,
          isIncremental: pragma('auto_vacuum') === INCREMENTAL,
          step: () => {
            db.pragma(`incremental_vacuum(${String(PAGES_FREED)})`);
            return facts().free > 0;
          },
          whole: () => {
            db.pragma(`auto_vacuum = ${String(INCREMENTAL)}`);
            db.exec('VACUUM');
          },
        };
      }),
  };
}

const INCREMENTAL = 2;

function conversationOf(row: unknown): ConversationRecord {
  const cells = new RowReader('conversations', row);
  return {
    channel: cells.text('channel') as ChannelKey,
    session: cells.address('session').address,
    lastActiveMs: cells.integer('last_active_at'),
  };
}
