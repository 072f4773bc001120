import { groupSettings } from '../config.js';
/** The thresholds for a session of `group`; `sessionProvider` is its own provider, null: the group's. */
export function policyFor(settings, group, sessionProvider) {
    const own = groupSettings(settings, group);
    const isCommand = (sessionProvider ?? own.provider) === 'command';
    return {
        sweepIntervalMs: settings.sweepIntervalMs,
        staleThresholdMs: own.staleThresholdMs,
        claimStuckMs: own.claimStuckMs,
        absoluteCeilingMs: own.absoluteCeilingMs,
        noProgressMs: own.noProgressMs,
        turnTimeoutMs: own.turnTimeoutMs,
        notClaimingMs: own.notClaimingMs,
        idleTimeoutMs: own.idleTimeoutMs,
        startGraceMs: own.startGraceMs,
        maxTries: own.maxTries,
        backoffBaseMs: own.backoffBaseMs,
        maxToolTimeoutMs: own.maxToolTimeoutMs,
        lockedStopMs: settings.lockedStopMs,
        guardMaxRestarts: settings.guardMaxRestarts,
        guardProbeMs: settings.guardProbeMs,
        timezone: settings.timezone,
        foreignAnswered: own.foreignAnswered,
        progressJudged: !isCommand || (own.commandOutputIsProgress && own.turnTimeoutMs !== null),
    };
}
//# sourceMappingURL=policy.js.map