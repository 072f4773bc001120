import { groupSettings } from '../config.js';
import type { Settings } from '../config.js';
import type { Budget } from '../core/budget.js';
import type { Policy } from '../core/policy.js';
import type { GroupName } from '../protocol/address.js';

/** The thresholds for a session of `group`; `sessionProvider` is its own provider, null: the group's. */
export function policyFor(settings: Settings, group: GroupName, sessionProvider: string | null): Policy {
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
    budgets: {
      session: budgetOf(own.sessionTurnsPerHour, own.sessionTokensPerDay, own.sessionCostPerDay),
      group: budgetOf(own.groupTurnsPerHour, own.groupTokensPerDay, own.groupCostPerDay),
    },
    lockedStopMs: settings.lockedStopMs,
    maxSessionAgeMs: own.maxSessionAgeMs,
    guardMaxRestarts: settings.guardMaxRestarts,
    guardProbeMs: settings.guardProbeMs,
    timezone: settings.timezone,
    foreignAnswered: own.foreignAnswered,
    staleActive: settings.staleActive,
    staleActiveMs: settings.staleActiveMs,
    progressJudged: !isCommand || (own.commandOutputIsProgress && own.turnTimeoutMs !== null),
  };
}

/** 0: no limit. */
function budgetOf(turnsPerHour: number, tokensPerDay: number, costPerDay: number): Budget {
  const limit = (value: number): number | null => (value === 0 ? null : value);
  return {
    turnsPerHour: limit(turnsPerHour),
    tokensPerDay: limit(tokensPerDay),
    costPerDayMicros: limit(Math.round(costPerDay * 1e6)),
  };
}
