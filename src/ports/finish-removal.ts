import type { SessionAddress } from '../protocol/address.js';
import type { Registry } from './registry.js';
import type { SessionFiles } from './session-files.js';

/**
 * Deletes the folder of a session whose rows are gone. Whoever makes or reads files of a session of the same name does this first, and
 * undisturbed: one at a time. Answers why it is not done; undefined: there is nothing left.
 */
export async function finishRemoval(
  registry: Pick<Registry, 'isBeingRemoved' | 'forgetRemoval'>,
  files: Pick<SessionFiles, 'remove'>,
  session: SessionAddress,
): Promise<string | undefined> {
  if (!registry.isBeingRemoved(session)) return undefined;
  const outcome = await files.remove(session);
  if (outcome.kind !== 'ok' && outcome.kind !== 'missing') return outcome.detail;
  registry.forgetRemoval(session);
  return undefined;
}
