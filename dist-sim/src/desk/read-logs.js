import { NightporterError } from '../protocol/errors.js';
import { requireSession } from './require-session.js';
import { viewOfIncarnation } from './show-session.js';
const OUTPUT_MAX_BYTES = 256 * 1024;
/**
 * Output of the container that runs, or what was kept of the last one.
 * @throws NightporterError `usage`, `not_found`, `unavailable` (it runs and cannot be asked)
 */
export async function readLogs(desk, session) {
    const { address } = requireSession(desk, session);
    const newest = () => desk.registry.incarnations(address, 1)[0];
    const incarnation = newest();
    if (incarnation === undefined)
        return { session: address, running: false, incarnation: null, output: '' };
    const { containerId } = incarnation;
    if (incarnation.stoppedAtMs !== null || containerId === null)
        return kept(incarnation);
    try {
        if (desk.runtime === null) {
            throw new NightporterError('unavailable', `the container of ${address} cannot be asked: start the daemon`);
        }
        const output = await desk.runtime.logs(containerId, OUTPUT_MAX_BYTES);
        return { session: address, running: true, incarnation: viewOfIncarnation(incarnation), output };
    }
    catch (error) {
        // It may have ended between the two questions.
        const now = newest();
        if (now !== undefined && now.stoppedAtMs !== null)
            return kept(now);
        throw error;
    }
    function kept(ended) {
        if (ended === undefined)
            return { session: address, running: false, incarnation: null, output: '' };
        return {
            session: address,
            running: false,
            incarnation: viewOfIncarnation(ended),
            output: ended.output ?? '',
        };
    }
}
//# sourceMappingURL=read-logs.js.map