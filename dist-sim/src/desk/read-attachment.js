import { NightporterError } from '../protocol/errors.js';
import { quoted } from './input-texts.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
/**
 * A file that an answer came with, read a part at a time in a file worker.
 * @throws NightporterError `usage`, `not_found`, `refused` (quarantined, no plain file, changed), `failed`
 */
export async function readAttachment(desk, session, reply, name) {
    const record = requireSession(desk, session);
    requireTrusted(record);
    const first = await readPart(desk, record.address, reply, name, 0, null);
    return { bytes: first.size, chunks: parts(desk, record.address, reply, name, first) };
}
async function* parts(desk, session, reply, name, first) {
    let offset = 0;
    let part = first;
    while (part.data.byteLength > 0) {
        yield part.data;
        offset += part.data.byteLength;
        if (offset >= first.size)
            return;
        part = await readPart(desk, session, reply, name, offset, first.identity);
    }
}
async function readPart(desk, session, reply, name, offset, identity) {
    const part = { reply, name, offset, identity };
    const outcome = await whileBusy(desk, () => desk.files.readAttachment(session, part));
    if (outcome.kind !== 'ok')
        throw troubleOf(session, outcome);
    if (outcome.found)
        return outcome;
    throw new NightporterError('refused', `the attachment ${quoted(name)} of answer ${quoted(reply)} of ${session} is not handed out: it ${outcome.why}`);
}
//# sourceMappingURL=read-attachment.js.map