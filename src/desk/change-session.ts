import { releaseGuard } from '../core/guard.js';
import { NightporterError } from '../protocol/errors.js';
import type { SessionRecord } from '../ports/registry.js';
import type { SessionChange } from './api.js';
import { deleteSession } from './delete-session.js';
import type { Desk } from './desk.js';
import { requireSession } from './require-session.js';
import type { ChangedView } from './views.js';

/**
 * Changes what an operator may change of a session. What is so already is no error: `changed` is false then.
 * @throws NightporterError `usage`, `not_found`, `refused` (wrong state)
 */
export async function changeSession(desk: Desk, session: string, change: SessionChange): Promise<ChangedView> {
  const record = requireSession(desk, session);
  const changed = await apply(desk, record, change);
  if (changed) desk.log.info({ session: record.address, change }, 'session changed by the operator');
  const now = desk.registry.findSession(record.address);
  return {
    session: record.address,
    status: now?.status ?? 'deleted',
    pinned: now?.pinned ?? record.pinned,
    changed,
  };
}

async function apply(desk: Desk, record: SessionRecord, change: SessionChange): Promise<boolean> {
  switch (change) {
    case 'pin':
    case 'unpin':
      return setPinned(desk, record, change === 'pin');
    case 'suspend':
      return suspend(desk, record);
    case 'resume':
      return resume(desk, record);
    case 'close':
      return close(desk, record);
    case 'reopen':
      return reopen(desk, record);
    case 'release':
      return release(desk, record);
    case 'delete':
      await deleteSession(desk, record);
      return true;
  }
}

function setPinned(desk: Desk, record: SessionRecord, pinned: boolean): boolean {
  if (record.pinned === pinned) return false;
  desk.registry.setPinned(record.address, pinned);
  return true;
}

function suspend(desk: Desk, record: SessionRecord): boolean {
  if (record.status === 'suspended') return false;
  refuseClosed(record);
  desk.registry.setStatus(record.address, 'suspended', desk.clock.now(), null);
  desk.rounds?.hint(record.address);
  return true;
}

function resume(desk: Desk, record: SessionRecord): boolean {
  if (record.status === 'active') return false;
  refuseClosed(record);
  activate(desk, record);
  return true;
}

function close(desk: Desk, record: SessionRecord): boolean {
  if (record.status === 'closed') return false;
  desk.registry.setStatus(record.address, 'closed', desk.clock.now(), 'operator');
  desk.rounds?.hint(record.address);
  return true;
}

function reopen(desk: Desk, record: SessionRecord): boolean {
  if (record.status === 'active') return false;
  if (record.status === 'suspended') {
    throw new NightporterError(
      'refused',
      `session ${record.address} is suspended, not closed: "nightporter session resume ${record.address}"`,
    );
  }
  activate(desk, record);
  desk.registry.settleNotice('folder_missing', record.address);
  return true;
}

/** Ends hold and quarantine; the next look finds out whether the reason is gone. */
function release(desk: Desk, record: SessionRecord): boolean {
  const { address } = record;
  if (record.heldSinceMs === null && record.quarantine === null) return false;
  desk.registry.setQuarantine(address, null);
  desk.registry.saveGuard(address, releaseGuard());
  desk.registry.settleNotice('held', address);
  desk.registry.settleNotice('quarantined', address);
  lookSoon(desk, record);
  return true;
}

function activate(desk: Desk, record: SessionRecord): void {
  desk.registry.setStatus(record.address, 'active', desk.clock.now(), null);
  lookSoon(desk, record);
}

function lookSoon(desk: Desk, record: SessionRecord): void {
  desk.registry.lowerNextDue(record.address, desk.clock.now());
  desk.rounds?.hint(record.address);
}

function refuseClosed(record: SessionRecord): void {
  if (record.status !== 'closed') return;
  throw new NightporterError(
    'refused',
    `session ${record.address} is closed: "nightporter session reopen ${record.address}" first`,
  );
}
