import { NightporterError } from '../protocol/errors.js';
/**
 * Lets running turns finish, stops the containers, then ends the daemon.
 * @throws NightporterError `unavailable` (no daemon)
 */
export async function drain(desk) {
    if (desk.rounds === null)
        throw new NightporterError('unavailable', 'no daemon runs here that could be drained');
    const { stopped, interrupted } = await desk.rounds.drain();
    desk.requestStop();
    return { stopped, interrupted };
}
//# sourceMappingURL=drain.js.map