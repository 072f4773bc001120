import { NightporterError } from '../protocol/errors.js';
import type { SessionRecord } from '../ports/registry.js';
import { finishRemovalAlone } from './finish-removal.js';
import type { Desk } from './desk.js';

/**
 * Deletes a closed session for good: its rows, then its folder.
 * @throws NightporterError `refused` (not closed, a container may still run), `failed` (folder not deleted)
 */
export async function deleteSession(desk: Desk, record: SessionRecord): Promise<void> {
  const { address } = record;
  if (record.status !== 'closed') {
    throw new NightporterError(
      'refused',
      `session ${address} is ${record.status}: close it first ("nightporter session close ${address}")`,
    );
  }
  if (mayRun(desk, record)) {
    const how = desk.rounds === null ? 'start the daemon or run "nightporter sweep"' : 'wait for the next round';
    throw new NightporterError('refused', `a container of ${address} may still run: ${how}, then delete it`);
  }
  desk.registry.deleteSession(address, desk.clock.now());
  const trouble = await finishRemovalAlone(desk, address);
  if (trouble === undefined) return;
  throw new NightporterError(
    'failed',
    `session ${address} is deleted, its folder is not yet (${trouble}): it is tried again, or remove sessions/${address} by hand`,
  );
}

function mayRun(desk: Desk, record: SessionRecord): boolean {
  const running = desk.rounds?.state().running ?? [];
  if (running.some(({ session }) => session === record.address)) return true;
  return desk.registry.incarnations(record.address, 1).some(({ stoppedAtMs }) => stoppedAtMs === null);
}
