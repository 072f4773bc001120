import { NightporterError } from '../protocol/errors.js';
/**
 * Deletes a closed session for good: its rows, then its folder.
 * @throws NightporterError `refused` (not closed, a container may still run), `failed` (folder not deleted)
 */
export async function deleteSession(desk, record) {
    const { address } = record;
    if (record.status !== 'closed') {
        throw new NightporterError('refused', `session ${address} is ${record.status}: close it first ("nightporter session close ${address}")`);
    }
    if (mayRun(desk, record)) {
        const how = desk.rounds === null ? 'start the daemon or run "nightporter sweep"' : 'wait for the next round';
        throw new NightporterError('refused', `a container of ${address} may still run: ${how}, then delete it`);
    }
    desk.registry.deleteSession(address);
    const outcome = await desk.files.remove(address);
    if (outcome.kind === 'ok' || outcome.kind === 'missing')
        return;
    throw new NightporterError('failed', `session ${address} is deleted, its folder is not (${outcome.detail}): remove sessions/${address} by hand`);
}
function mayRun(desk, record) {
    const running = desk.rounds?.state().running ?? [];
    if (running.some(({ session }) => session === record.address))
        return true;
    return desk.registry.incarnations(record.address, 1).some(({ stoppedAtMs }) => stoppedAtMs === null);
}
//# sourceMappingURL=delete-session.js.map