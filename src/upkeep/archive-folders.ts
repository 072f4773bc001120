import type { SessionAddress } from '../protocol/address.js';
import type { Pass } from './job.js';
import type { Keeper } from './keeper.js';

/** L8: what is older was forgotten, not interrupted. */
const FORGOTTEN_MS = 14 * 24 * 60 * 60_000;
const TURN_EVERY = 500;

/** Moves folders that are of no session out of the way (L8). Only where an operator asks for it: `doctor` lists them. */
export async function archiveFolders(keeper: Keeper, pass: Pass): Promise<void> {
  const { files, supervision } = keeper;
  const nowMs = keeper.clock.now();
  for (const [index, session] of (await files.folders()).entries()) {
    if (index % TURN_EVERY === 0) await supervision.turn();
    if (pass.isStopping()) return;
    if (!isStray(keeper, session)) continue;
    try {
      await supervision.undisturbed(session, () => archiveOne(keeper, pass, session, nowMs));
    } catch (err) {
      pass.kept('failed');
      keeper.log.error({ err, session }, 'the folder of no session could not be archived; it is kept');
    }
  }
}

async function archiveOne(keeper: Keeper, pass: Pass, session: SessionAddress, nowMs: number): Promise<void> {
  const { registry, files } = keeper;
  const found = await files.stray(session);
  if (found.kind !== 'ok' || found.writtenMs === null || nowMs - found.writtenMs <= FORGOTTEN_MS) return;
  if (found.isOnOtherDisk) {
    pass.kept('other_disk');
    return;
  }
  const size = await files.measure(session);
  // It may have become a session's meanwhile.
  if (registry.findSession(session) !== undefined) return;
  const path = keeper.folderOf(session);
  const action = { session, action: 'archive_folder', reason: 'no_session', path };
  const bytes = size.kind === 'ok' ? size.bytes : null;
  if (pass.dryRun) {
    pass.did({ ...action, bytes });
    return;
  }
  const moved = await files.archive(session, nowMs);
  if (moved.kind !== 'ok') pass.kept('files_unreadable');
  else if (moved.path === null) pass.kept('other_disk');
  else pass.did({ ...action, bytes, to: moved.path });
}

function isStray({ registry }: Keeper, session: SessionAddress): boolean {
  return registry.findSession(session) === undefined && !registry.isBeingRemoved(session);
}
