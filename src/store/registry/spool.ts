import { createHash } from 'node:crypto';
import { LOWER_NEXT_DUE, SESSION_STATUSES, foldAddress } from './sessions.js';
import { RowReader } from './rows.js';
import { MISSED_POLICIES } from '../../protocol/rows.js';
import type { AcceptResult, AcceptedMessage, Registry } from '../../ports/registry.js';
import type { NewMessage } from '../../ports/session-files.js';
import type { StagedFile } from '../../ports/staging.js';
import type { Connection } from './connection.js';

type Spool = Pick<
  Registry,
  'accept' | 'spooled' | 'spooledSeries' | 'spendMessageId' | 'occupyMessageIds' | 'isStageSpooled' | 'unspool'
>;

/** Of the contents that are read at a time, one message aside. */
const SPOOLED_MAX_CHARS = 8 * 1024 * 1024;
/** The same for attachments: each takes a few milliseconds of a file worker. */
const SPOOLED_MAX_FILES = 20;

export function spool(connection: Connection): Spool {
  const selectHash = connection.prepare('SELECT content_hash FROM accepted WHERE session = ? AND id = ?');
  const selectStatus = connection.prepare('SELECT status, close_reason FROM sessions WHERE address = ?');
  const reopen = connection.prepare(REOPEN);
  const selectTwin = connection.prepare('SELECT address FROM sessions WHERE folded = ?');
  const insertSession = connection.prepare('INSERT INTO sessions (address, folded, created_at) VALUES (?, ?, ?)');
  const insertHash = connection.prepare('INSERT INTO accepted (session, id, content_hash) VALUES (?, ?, ?)');
  // No content has the hash x''.
  const spend = connection.prepare("UPDATE accepted SET content_hash = x'' WHERE session = ? AND id = ?");
  const occupy = connection.prepare("INSERT OR REPLACE INTO accepted (session, id, content_hash) VALUES (?, ?, x'')");
  const insert = connection.prepare(
    `INSERT INTO spool (${SPOOL_COLUMNS.map(([column]) => column).join(', ')})
     VALUES (${SPOOL_COLUMNS.map(([, value]) => `@${value}`).join(', ')})`,
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
  const selectStage = connection.prepare(
    `SELECT 1 FROM spool WHERE attachments IS NOT NULL
       AND EXISTS (SELECT 1 FROM json_each(spool.attachments) a WHERE a.value ->> 'stage' = ?) LIMIT 1`,
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
      return isClosedForGood(new RowReader('sessions', row)) ? { kind: 'session_closed' } : 'known';
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
    else reopen.run(session);
    insertHash.run(session, message.id, hash);
    insert.run(spoolRow(entry));
    const dueAt = message.trigger ? (message.processAfterMs ?? acceptedAtMs) : null;
    touch.run({ address: session, at: acceptedAtMs, dueAt });
    return { kind: 'accepted' };
  };

  return {
    accept: (message) => connection.write(() => place(message)),

    spooled: (session, limit) => connection.read(() => upTo(select.iterate(session, limit))),

    isStageSpooled: (stage) => connection.read(() => selectStage.get(stage) !== undefined),

    spooledSeries: (session) => connection.read(() => upTo(selectSeries.iterate(session))),

    spendMessageId: (session, id) => {
      connection.write(() => spend.run(session, id));
    },

    occupyMessageIds: (session, ids) => {
      connection.write(() => {
        for (const id of ids) occupy.run(session, id);
      });
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

/** What was closed because nothing happened in it goes on with the next message. */
const COLLECTED = "status = 'closed' AND close_reason = 'idle'";
export const REOPENED = `status = CASE WHEN ${COLLECTED} THEN 'active' ELSE status END,
  closed_at = CASE WHEN ${COLLECTED} THEN NULL ELSE closed_at END,
  close_reason = CASE WHEN ${COLLECTED} THEN NULL ELSE close_reason END`;
const REOPEN = `UPDATE sessions SET ${REOPENED} WHERE address = ? AND ${COLLECTED}`;

/** Of a row with `status` and `close_reason`: not only because nothing happened in it. */
export function isClosedForGood(cells: RowReader): boolean {
  return cells.oneOf('status', SESSION_STATUSES) === 'closed' && cells.textOrNull('close_reason') !== 'idle';
}

/** The first messages, and no more of them than a file worker can take in one call. */
function upTo(rows: Iterable<unknown>): readonly NewMessage[] {
  const messages: NewMessage[] = [];
  let chars = 0;
  let files = 0;
  for (const row of rows) {
    const message = messageOf(row);
    const isTooMuch = chars + message.content.length > SPOOLED_MAX_CHARS || files >= SPOOLED_MAX_FILES;
    if (messages.length > 0 && isTooMuch) break;
    chars += message.content.length;
    files += message.attachments?.length ?? 0;
    messages.push(message);
  }
  return messages;
}

/** Of all that makes two messages the same one; not of when they were written, nor of when a series fires first. */
export function contentHash(message: NewMessage): Buffer {
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
    ...(isAttached(message) ? [message.attachments.map(({ name, sha256 }) => [name, sha256])] : []),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** Columns of the spool that are written, with the names of their values in `spoolRow`. */
export const SPOOL_COLUMNS = [
  ['session', 'session'],
  ['id', 'id'],
  ['kind', 'kind'],
  ['timestamp_at', 'timestampAt'],
  ['process_after', 'processAfter'],
  ['trigger', 'trigger'],
  ['on_wake', 'onWake'],
  ['content', 'content'],
  ['recurrence', 'recurrence'],
  ['series_id', 'seriesId'],
  ['timezone', 'timezone'],
  ['occurrence_at', 'occurrenceAt'],
  ['missed', 'missed'],
  ['attachments', 'attachments'],
  ['accepted_at', 'acceptedAt'],
] as const;

export function spoolRow({ session, message, acceptedAtMs }: AcceptedMessage): Record<string, string | number | null> {
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
    attachments: isAttached(message) ? JSON.stringify(message.attachments) : null,
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
    ...attachmentsOf(cells),
  };
}

function isAttached(message: NewMessage): message is NewMessage & Required<Pick<NewMessage, 'attachments'>> {
  return message.attachments !== undefined && message.attachments.length > 0;
}

function attachmentsOf(cells: RowReader): Pick<NewMessage, 'attachments'> {
  const text = cells.textOrNull('attachments');
  if (text === null) return {};
  const files: unknown = JSON.parse(text);
  if (!Array.isArray(files) || !files.every(isStagedFile)) return cells.refuse('attachments', 'staged files');
  return { attachments: files };
}

function isStagedFile(value: unknown): value is StagedFile {
  if (typeof value !== 'object' || value === null) return false;
  const { stage, name, bytes, sha256 } = value as Partial<Record<keyof StagedFile, unknown>>;
  return [stage, name, sha256].every((text) => typeof text === 'string') && Number.isSafeInteger(bytes);
}
