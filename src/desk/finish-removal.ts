import { finishRemoval } from '../ports/finish-removal.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Desk } from './desk.js';

/**
 * Deletes the folder of a session whose rows are gone, as the only one: a second removal that comes late would find the folder
 * of a new session. Answers why it is not done.
 */
export function finishRemovalAlone(desk: Desk, session: SessionAddress): Promise<string | undefined> {
  const finish = (): Promise<string | undefined> => finishRemoval(desk.registry, desk.files, session);
  return desk.rounds === null ? finish() : desk.rounds.undisturbed(session, finish);
}
