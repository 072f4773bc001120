import { NightporterError } from '../../protocol/errors.js';
import { RowReader } from './rows.js';
const HOLD_REASONS = {
    fruitless_starts: true,
    settled_failures: true,
    oom_kills: true,
};
const FRESH = {
    fruitless: 0,
    notBeforeMs: 0,
    heldSinceMs: null,
    holdReason: null,
    nextProbeAtMs: null,
    settledFailures: 0,
    oomKills: 0,
};
export function guards(connection) {
    const select = connection.prepare('SELECT * FROM guards WHERE session = ?');
    const isSession = connection.prepare('SELECT 1 FROM sessions WHERE address = ?');
    const upsert = connection.prepare(`INSERT INTO guards
       (session, fruitless, not_before, held_since, hold_reason, next_probe_at, settled_failures, oom_kills)
     VALUES (@session, @fruitless, @notBefore, @heldSince, @holdReason, @nextProbeAt, @settledFailures, @oomKills)
     ON CONFLICT (session) DO UPDATE SET fruitless = @fruitless, not_before = @notBefore, held_since = @heldSince,
       hold_reason = @holdReason, next_probe_at = @nextProbeAt, settled_failures = @settledFailures,
       oom_kills = @oomKills`);
    return {
        guard: (session) => connection.read(() => {
            const row = select.get(session);
            return row === undefined ? FRESH : guardOf(row);
        }),
        saveGuard: (session, guard) => {
            connection.write(() => {
                if (isSession.get(session) === undefined) {
                    throw new NightporterError('not_found', `there is no session ${session}`);
                }
                upsert.run({
                    session,
                    fruitless: guard.fruitless,
                    notBefore: guard.notBeforeMs,
                    heldSince: guard.heldSinceMs,
                    holdReason: guard.holdReason,
                    nextProbeAt: guard.nextProbeAtMs,
                    settledFailures: guard.settledFailures,
                    oomKills: guard.oomKills,
                });
            });
        },
    };
}
function guardOf(row) {
    const cells = new RowReader('guards', row);
    return {
        fruitless: cells.count('fruitless'),
        notBeforeMs: cells.integer('not_before'),
        heldSinceMs: cells.integerOrNull('held_since'),
        holdReason: cells.oneOfOrNull('hold_reason', Object.keys(HOLD_REASONS)),
        nextProbeAtMs: cells.integerOrNull('next_probe_at'),
        settledFailures: cells.count('settled_failures'),
        oomKills: cells.count('oom_kills'),
    };
}
//# sourceMappingURL=guards.js.map