import { findDead } from './find-dead.js';
import { instantOrNull } from './list-sessions.js';
/**
 * Dead letters by session, newest first in each. A session whose files cannot be read is a problem among the rows.
 * @throws NightporterError `usage`, `not_found` (for a named session)
 */
export async function* listDead(desk, filter) {
    for await (const found of findDead(desk, filter)) {
        if ('problem' in found)
            yield found;
        else
            for (const letter of found.letters)
                yield { row: viewOfDead(letter) };
    }
}
function viewOfDead(letter) {
    return {
        session: letter.session,
        id: letter.id,
        tries: letter.tries,
        errorClass: letter.errorClass,
        error: letter.error,
        finishedAt: instantOrNull(letter.finishedAtMs),
        attempt: letter.attempt,
        reason: letter.reason,
        purgedAt: instantOrNull(letter.purgedAtMs),
        replayRequestedAt: instantOrNull(letter.replayRequestedAtMs),
    };
}
//# sourceMappingURL=list-dead.js.map