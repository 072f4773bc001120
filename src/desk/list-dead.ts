import type { DeadFilter, Streamed } from './api.js';
import type { DeadLetter } from './dead-filter.js';
import type { Desk } from './desk.js';
import { findDead } from './find-dead.js';
import { instantOrNull } from './list-sessions.js';
import type { DeadLetterView } from './views.js';

/**
 * Dead letters by session, newest first in each. A session whose files cannot be read is a problem among the rows.
 * @throws NightporterError `usage`, `not_found` (for a named session)
 */
export async function* listDead(desk: Desk, filter: DeadFilter): AsyncGenerator<Streamed<DeadLetterView>> {
  for await (const found of findDead(desk, filter)) {
    if ('problem' in found) yield found;
    else for (const letter of found.letters) yield { row: viewOfDead(letter) };
  }
}

function viewOfDead(letter: DeadLetter): DeadLetterView {
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
