import { findDuplicates } from '../core/duplicates.js';
import type { MessageId, SessionAddress } from '../protocol/address.js';
import { formatInstant } from '../protocol/times.js';
import type { Reply } from '../ports/session-files.js';
import type { Desk } from './desk.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
import type { RepliesPage, ReplyView } from './views.js';

const PAGE = 100;

/**
 * Answers after a mark (0: from the start), oldest first; an empty page says that there are no more yet.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined), `failed` (locked, damaged)
 */
export async function readReplies(desk: Desk, session: string, after: number): Promise<RepliesPage> {
  const record = requireSession(desk, session);
  requireTrusted(record);
  const outcome = await whileBusy(desk, () => desk.files.replies(record.address, after, PAGE));
  // The folder comes with the first message that is moved out of the spool.
  if (outcome.kind === 'missing') return { rows: [], mark: after };
  if (outcome.kind !== 'ok') throw troubleOf(record.address, outcome);
  const duplicates = await findRepeated(desk, record.address, outcome.rows);
  const rows = outcome.rows.map(viewOfReply);
  return { rows: rows.map((row) => (duplicates.has(row.id) ? { ...row, duplicate: true } : row)), mark: outcome.mark };
}

/** Only of messages that were tried more than once: of all others nothing more is read. */
async function findRepeated(desk: Desk, session: SessionAddress, rows: readonly Reply[]): Promise<ReadonlySet<string>> {
  const ends = new Map<string, readonly number[]>();
  for (const { inReplyTo } of rows) {
    if (inReplyTo === null || ends.has(inReplyTo)) continue;
    const known = desk.registry.turnEnds(session, inReplyTo as MessageId).map(({ endedAtMs }) => endedAtMs);
    if (known.length > 0) ends.set(inReplyTo, known);
  }
  if (ends.size === 0) return new Set();
  const outcome = await whileBusy(desk, () => desk.files.answersTo(session, [...ends.keys()]));
  if (outcome.kind !== 'ok') throw troubleOf(session, outcome);
  return findDuplicates(outcome.rows, (message) => ends.get(message) ?? []);
}

function viewOfReply(reply: Reply): ReplyView {
  return {
    id: reply.id,
    inReplyTo: reply.inReplyTo,
    timestamp: reply.timestampMs === null ? null : formatInstant(reply.timestampMs),
    kind: reply.kind,
    content: parseContent(reply.content),
    ...(reply.truncated ? { truncated: true as const } : {}),
    ...filesOf(reply),
  };
}

function filesOf({ files }: Reply): Pick<ReplyView, 'attachments' | 'refused'> {
  return {
    ...(files === undefined || files.attachments.length === 0 ? {} : { attachments: files.attachments }),
    ...(files === undefined || files.refused.length === 0 ? {} : { refused: files.refused }),
  };
}

/** JSON as it is; `{"text": ...}` around anything else. */
export function parseContent(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
