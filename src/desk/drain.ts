import { NightporterError } from '../protocol/errors.js';
import type { Desk } from './desk.js';
import type { DrainView } from './views.js';

/**
 * Lets running turns finish, stops the containers, then ends the daemon.
 * @throws NightporterError `unavailable` (no daemon)
 */
export async function drain(desk: Desk): Promise<DrainView> {
  if (desk.rounds === null) throw new NightporterError('unavailable', 'no daemon runs here that could be drained');
  const { stopped, interrupted } = await desk.rounds.drain();
  desk.requestStop();
  return { stopped, interrupted };
}
