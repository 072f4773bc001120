import { createHash } from 'node:crypto';
import { LOWER_NEXT_DUE, SESSION_STATUSES, foldAddress } from './sessions.js';
import { RowReader } from './rows.js';
import { MISSED_POLICIES } from '../../protocol/rows.js';
import type { AcceptResult, AcceptedMessage, Registry } from '../../ports/registry.js';
import type { NewMessage } from '../../ports/session-files.js';
import type { Connection } from './connection.js';

type Spool = Pick<Registry, 'accept' | 'acceptAll' | 'spooled' | 'spooledSeries' | 'spendMessageId' | 'unspool'>;
type AcceptAllResult = ReturnType<Registry['acceptAll']>;

/** Of the contents that are read at a time, one message aside. */
const SPOOLED_MAX_CHARS = 8 * 1024 * 1024;

export function spool(connection: Connection): Spool {
  const selectHash = connection.prepare('SELECT content_hash FROM accepted WHERE session = ? AND id = ?');
  const selectStatus = connection.prepare('SELECT status FROM sessions WHERE address = ?');
  const selectTwin = connection.prepare('SELECT address FROM sessions WHERE folded = ?');
  const insertSession = connection.prepare('INSERT INTO sessions (address, folded, created_at) VALUES (?, ?, ?)');
  const insertHash = connection.prepare('INSERT INTO accepted (session, id, content_hash) VALUES (?, ?, ?)');
  const spend = connection.prepare("UPDATE accepted SET content_hash = x'' WHERE session = ? AND id = ?");
  const insert = connection.prepare(
    `INSERT INTO spool (session, id, kind, timestamp_at, process_after, trigger, on_wake, content, recurrence,
       series_id, timezone, occurrence_at, missed, accepted_at)
     VALUES (@session, @id, @kind, @timestampAt, @processAfter, @trigger, @onWake, @content, @recurrence,
       @seriesId, @timezone, @occurrenceAt, @missed, @acceptedAt)`,
  );
  const touch = connection.prepare(
    `UPDATE sessions SET last_active_at = max(coalesce(last_active_at, @at), @at), due_mark = due_mark + 1,
       next_due_at = coalesce(min(coalesce(next_due_at, @dueAt), @dueAt), next_due_at) WHERE address = @address`,
  );
  const lower = connection.prepare(LOWER_NEXT_DUE);
  const select = connection.prepare('SELECT * FROM spool WHERE session = ? ORDER BY sequence LIMIT ?');
  const selectSeries = connection.prepare(
    'SELECT * FROM spool WHERE session = ? AND recurrence IS NOT NULL ORDER BY sequence',
  );
  const remove = connection.prepare(
    'DELETE FROM spool WHERE session = ? AND id = ? RETURNING trigger, coalesce(process_after, accepted_at) AS due_at, recurrence IS NOT NULL AS is_series',
  );

  // Until the next look has counted, they are pending: what was accepted never disappears from the totals.
  const countDelivered = connection.prepare(
    'UPDATE sessions SET pending = pending + ?, live_series = live_series + ? WHERE address = ?',
  );

  /** `new`: there is no such session yet. */
  const findPlace = ({ session, message }: AcceptedMessage, hash: Buffer): AcceptResult | 'known' | 'new' => {
    const stored = selectHash.get(session, message.id);
    if (stored !== undefined) {
      const isSame = new RowReader('accepted', stored).bytes('content_hash').equals(hash);
      return { kind: isSame ? 'duplicate' : 'conflict' };
    }
    const row = selectStatus.get(session);
    if (row !== undefined) {
      const isClosed = new RowReader('sessions', row).oneOf('status', SESSION_STATUSES) === 'closed';
      return isClosed ? { kind: 'session_closed' } : 'known';
    }
    const twin = selectTwin.get(foldAddress(session));
    if (twin === undefined) return 'new';
    return { kind: 'case_twin', other: new RowReader('sessions', twin).address('address').address };
  };

  /** In a transaction; writes nothing unless it answers `accepted`. */
  const place = (entry: AcceptedMessage): AcceptResult => {
    const { session, message, acceptedAtMs } = entry;
    const hash = contentHash(message);
    const found = findPlace(entry, hash);
    if (typeof found !== 'string') return found;
    if (found === 'new') insertSession.run(session, foldAddress(session), acceptedAtMs);
    insertHash.run(session, message.id, hash);
    insert.run(spoolRow(entry));
    const dueAt = message.trigger ? (message.processAfterMs ?? acceptedAtMs) : null;
    touch.run({ address: session, at: acceptedAtMs, dueAt });
    return { kind: 'accepted' };
  };

  return {
    accept: (message) => connection.write(() => place(message)),
    acceptAll: (messages) => placeAll(connection, messages, place),

    spooled: (session, limit) => connection.read(() => upTo(select.iterate(session, limit))),

    spooledSeries: (session) => connection.read(() => upTo(selectSeries.iterate(session))),

    spendMessageId: (session, id) => {
      connection.write(() => spend.run(session, id));
    },

    unspool: (session, messages) => {
      connection.write(() => {
        let dueAtMs = Infinity;
        let delivered = 0;
        let series = 0;
        for (const id of messages) {
          const row = remove.get(session, id);
          if (row === undefined) continue;
          delivered += 1;
          const cells = new RowReader('spool', row);
          if (cells.flag('is_series')) series += 1;
          if (cells.flag('trigger')) dueAtMs = Math.min(dueAtMs, cells.integer('due_at'));
        }
        if (delivered > 0) countDelivered.run(delivered, series, session);
        // A look from before the delivery may have found nothing due since these were accepted.
        if (dueAtMs !== Infinity) lower.run({ address: session, dueAt: dueAtMs });
      });
    },
  };
}

/** The first messages, and no more of them than a file worker can take in one call. */
function upTo(rows: Iterable<unknown>): readonly NewMessage[] {
  const messages: NewMessage[] = [];
  let chars = 0;
  for (const row of rows) {
    const message = messageOf(row);
    if (messages.length > 0 && chars + message.content.length > SPOOLED_MAX_CHARS) break;
    chars += message.content.length;
    messages.push(message);
  }
  return messages;
}

/** Carries the answer out of a transaction that is rolled back. */
class Refused extends Error {
  readonly result: AcceptAllResult;
  constructor(result: AcceptAllResult) {
    super('refused');
    this.result = result;
  }
}

function placeAll(
  connection: Connection,
  messages: readonly AcceptedMessage[],
  place: (entry: AcceptedMessage) => AcceptResult,
): AcceptAllResult {
  try {
    return connection.write(() => {
      const results = messages.map((entry, index) => ({ index, result: place(entry) }));
      const refused = results.filter(({ result }) => result.kind !== 'accepted' && result.kind !== 'duplicate');
      const duplicates = results.filter(({ result }) => result.kind === 'duplicate').length;
      if (refused.length > 0) throw new Refused({ refused, accepted: 0, duplicates });
      return { refused, accepted: results.length - duplicates, duplicates };
    });
  } catch (error) {
    if (error instanceof Refused) return error.result;
    throw error;
  }
}

/** Of all that makes two messages the same one; not of when they were written, nor of when a series fires first. */
function contentHash(message: NewMessage): Buffer {
  const isSeries = message.recurrence !== null;
  const parts = [
    message.kind,
    message.content,
    isSeries ? null : message.processAfterMs,
    message.trigger,
    message.onWake,
    message.recurrence,
    message.seriesId,
    message.timezone,
    isSeries ? null : message.occurrenceMs,
    ...(message.missed === null ? [] : [message.missed]),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

function spoolRow({ session, message, acceptedAtMs }: AcceptedMessage): Record<string, string | number | null> {
  return {
    session,
    id: message.id,
    kind: message.kind,
    timestampAt: message.timestampMs,
    processAfter: message.processAfterMs,
    trigger: message.trigger ? 1 : 0,
    onWake: message.onWake ? 1 : 0,
    content: message.content,
    recurrence: message.recurrence,
    seriesId: message.seriesId,
    timezone: message.timezone,
    occurrenceAt: message.occurrenceMs,
    missed: message.missed,
    acceptedAt: acceptedAtMs,
  };
}

function messageOf(row: unknown): NewMessage {
  const cells = new RowReader('spool', row);
  return {
    id: cells.messageId('id'),
    kind: cells.text('kind'),
    timestampMs: cells.integer('timestamp_at'),
    processAfterMs: cells.integerOrNull('process_after'),
    trigger: cells.flag('trigger'),
    onWake: cells.flag('on_wake'),
    content: cells.text('content'),
    recurrence: cells.textOrNull('recurrence'),
    seriesId: cells.textOrNull('series_id'),
    timezone: cells.textOrNull('timezone'),
    occurrenceMs: cells.integerOrNull('occurrence_at'),
    missed: cells.oneOfOrNull('missed', MISSED_POLICIES),
  };
}
