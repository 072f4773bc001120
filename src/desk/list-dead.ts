import { NightporterError } from '../protocol/errors.js';
import type { SessionAddress } from '../protocol/address.js';
import type { SessionRecord } from '../ports/registry.js';
import type { FailedMessage } from '../ports/session-files.js';
import type { Streamed } from './api.js';
import type { Desk } from './desk.js';
import { instantOrNull } from './list-sessions.js';
import { troubleOf, whileBusy } from './read-files.js';
import { requireSession, requireTrusted } from './require-session.js';
import type { DeadLetterView } from './views.js';

/** Per session. */
const MOST_LISTED = 10_000;
/** Sessions passed over before others get a turn. */
const SESSIONS_PER_TURN = 500;

/**
 * Dead letters by session, newest first in each. A session whose files cannot be read is a problem among the rows.
 * @throws NightporterError `usage`, `not_found` (for a named session)
 */
export async function* listDead(
  desk: Desk,
  options: { readonly session?: string | undefined },
): AsyncGenerator<Streamed<DeadLetterView>> {
  if (options.session !== undefined) {
    for (const row of await deadOf(desk, requireSession(desk, options.session))) yield { row };
    return;
  }
  let passed = 0;
  for (const record of desk.registry.eachSession()) {
    if (record.counts.failed > 0) yield* deadOrProblem(desk, record);
    passed += 1;
    if (passed % SESSIONS_PER_TURN === 0) await new Promise(setImmediate);
  }
}

async function* deadOrProblem(desk: Desk, record: SessionRecord): AsyncGenerator<Streamed<DeadLetterView>> {
  let rows: readonly DeadLetterView[];
  try {
    rows = await deadOf(desk, record);
  } catch (error) {
    if (!(error instanceof NightporterError)) throw error;
    yield { problem: error.message };
    return;
  }
  for (const row of rows) yield { row };
}

async function deadOf(desk: Desk, record: SessionRecord): Promise<readonly DeadLetterView[]> {
  requireTrusted(record);
  const outcome = await whileBusy(desk, () => desk.files.failed(record.address, MOST_LISTED));
  if (outcome.kind === 'missing') return [];
  if (outcome.kind !== 'ok') throw troubleOf(record.address, outcome);
  return outcome.rows.map((row) => viewOfDead(record.address, row));
}

function viewOfDead(session: SessionAddress, message: FailedMessage): DeadLetterView {
  return {
    session,
    id: message.id,
    tries: message.tries,
    errorClass: message.errorClass,
    error: message.error,
    finishedAt: instantOrNull(message.finishedAtMs),
  };
}
