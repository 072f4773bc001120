import { formatInstant } from '../protocol/times.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
const PAGE = 100;
/**
 * Answers after a mark (0: from the start), oldest first; an empty page says that there are no more yet.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined), `failed` (locked, damaged)
 */
export async function readReplies(desk, session, after) {
    const record = requireSession(desk, session);
    requireTrusted(record);
    const outcome = await whileBusy(desk, () => desk.files.replies(record.address, after, PAGE));
    // The folder comes with the first message that is moved out of the spool.
    if (outcome.kind === 'missing')
        return { rows: [], mark: after };
    if (outcome.kind !== 'ok')
        throw troubleOf(record.address, outcome);
    return { rows: outcome.rows.map(viewOfReply), mark: outcome.mark };
}
function viewOfReply(reply) {
    return {
        id: reply.id,
        inReplyTo: reply.inReplyTo,
        timestamp: reply.timestampMs === null ? null : formatInstant(reply.timestampMs),
        kind: reply.kind,
        content: parseContent(reply.content),
        ...(reply.truncated ? { truncated: true } : {}),
        ...filesOf(reply),
    };
}
function filesOf({ files }) {
    return {
        ...(files === undefined || files.attachments.length === 0 ? {} : { attachments: files.attachments }),
        ...(files === undefined || files.refused.length === 0 ? {} : { refused: files.refused }),
    };
}
/** JSON as it is; `{"text": ...}` around anything else. */
export function parseContent(text) {
    try {
        return JSON.parse(text);
    }
    catch {
        return { text };
    }
}
//# sourceMappingURL=read-replies.js.map