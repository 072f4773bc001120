import { formatInstant } from '../protocol/times.js';
import type { SessionRecord } from '../ports/registry.js';
import type { Desk } from './desk.js';
import type { SessionSummaryView } from './views.js';

/** In address order; closed ones only if asked for. */
export function* listSessions(desk: Desk, options: { readonly closed: boolean }): Generator<SessionSummaryView> {
  for (const record of desk.registry.eachSession()) {
    if (record.status !== 'closed' || options.closed) yield summaryOf(record);
  }
}

export function summaryOf(record: SessionRecord): SessionSummaryView {
  return {
    session: record.address,
    status: record.status,
    pinned: record.pinned,
    held: record.heldSinceMs !== null,
    quarantined: record.quarantine !== null,
    lastActive: instantOrNull(record.lastActiveMs),
  };
}

export function instantOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : formatInstant(epochMs);
}
