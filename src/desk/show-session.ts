import { formatInstant } from '../protocol/times.js';
import type { IncarnationRecord } from '../ports/registry.js';
import type { Desk } from './desk.js';
import { instantOrNull, summaryOf } from './list-sessions.js';
import { requireSession } from './require-session.js';
import type { IncarnationView, SessionView } from './views.js';

const INCARNATIONS_SHOWN = 5;
/** More than these are shown as this many. */
const SPOOLED_SHOWN = 10_000;

/** @throws NightporterError `usage`, `not_found` */
export function showSession(desk: Desk, session: string): SessionView {
  const record = requireSession(desk, session);
  const { quarantine } = record;
  return {
    ...summaryOf(record),
    provider: record.provider,
    command: record.command,
    image: record.image,
    createdAt: formatInstant(record.createdAtMs),
    closedAt: instantOrNull(record.closedAtMs),
    closeReason: record.closeReason,
    heldSince: instantOrNull(record.heldSinceMs),
    holdReason: desk.registry.guard(record.address).holdReason,
    quarantine:
      quarantine === null
        ? null
        : { file: quarantine.file, detail: quarantine.detail, since: formatInstant(quarantine.sinceMs) },
    epoch: record.epoch,
    nextDue: instantOrNull(record.nextDueAtMs),
    messages: { spooled: desk.registry.spooled(record.address, SPOOLED_SHOWN).length, ...record.counts },
    providerSessions: desk.registry.providerSessions(record.address).map(({ provider, id, lastUsedMs }) => ({
      ...{ provider, id, lastUsedAt: lastUsedMs === 0 ? null : formatInstant(lastUsedMs) },
    })),
    incarnations: desk.registry.incarnations(record.address, INCARNATIONS_SHOWN).map(viewOfIncarnation),
  };
}

export function viewOfIncarnation(incarnation: IncarnationRecord): IncarnationView {
  return {
    epoch: incarnation.epoch,
    startedAt: instantOrNull(incarnation.startedAtMs),
    stoppedAt: instantOrNull(incarnation.stoppedAtMs),
    stopReason: incarnation.stopReason,
    exitCode: incarnation.exitCode,
    signal: incarnation.signal,
    oomKilled: incarnation.oomKilled,
    turnsCompleted: incarnation.turnsCompleted,
  };
}
