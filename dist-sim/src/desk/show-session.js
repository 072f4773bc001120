import { formatInstant } from '../protocol/times.js';
import { instantOrNull, summaryOf } from './list-sessions.js';
import { requireSession } from './require-session.js';
const INCARNATIONS_SHOWN = 5;
/** More than these are shown as this many. */
const SPOOLED_SHOWN = 10_000;
/** @throws NightporterError `usage`, `not_found` */
export function showSession(desk, session) {
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
        quarantine: quarantine === null
            ? null
            : { file: quarantine.file, detail: quarantine.detail, since: formatInstant(quarantine.sinceMs) },
        epoch: record.epoch,
        nextDue: instantOrNull(record.nextDueAtMs),
        messages: { spooled: desk.registry.spooled(record.address, SPOOLED_SHOWN).length, ...record.counts },
        incarnations: desk.registry.incarnations(record.address, INCARNATIONS_SHOWN).map(viewOfIncarnation),
    };
}
export function viewOfIncarnation(incarnation) {
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
//# sourceMappingURL=show-session.js.map