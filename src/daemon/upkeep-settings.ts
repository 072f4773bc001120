import type { Settings } from '../config.js';
import { groupSettings } from '../config.js';
import type { Retention } from '../core/retention/retention.js';
import type { GroupName } from '../protocol/address.js';
import type { UpkeepSettings } from '../upkeep/keeper.js';

const DAY_MS = 24 * 60 * 60_000;

export function upkeepSettings(settings: Settings): UpkeepSettings {
  const all = [settings, ...settings.groups.values()];
  const shortest = (windows: readonly number[]): number => {
    const some = windows.filter((window) => window > 0);
    return some.length === 0 ? 0 : Math.min(...some);
  };
  return {
    gcIntervalMs: settings.gcIntervalMs,
    shortest: {
      closeAfterMs: shortest(all.map(({ sessionCloseAfterMs }) => sessionCloseAfterMs)),
      deleteAfterMs: shortest(all.map(({ sessionDeleteAfterMs }) => sessionDeleteAfterMs)),
      resumeIdsMs: shortest(all.map(({ maxSessionAgeMs }) => maxSessionAgeMs)),
    },
    conversationMaxAgeMs: settings.conversationMaxAgeDays * DAY_MS,
    noticeMaxAgeMs: settings.noticeMaxAgeDays * DAY_MS,
  };
}

export function retentionOf(settings: Settings, group: GroupName): Retention {
  const own = groupSettings(settings, group);
  return {
    closeAfterMs: own.sessionCloseAfterMs,
    deleteAfterMs: own.sessionDeleteAfterMs,
    resumeIdsMs: own.maxSessionAgeMs,
    completedMs: own.keepCompletedDays * DAY_MS,
    deadLettersMs: own.deadLetterDays * DAY_MS,
    artifacts: {
      transcript: own.retentionTranscriptsDays * DAY_MS,
      debug: own.retentionDebugDays * DAY_MS,
      todo: own.retentionTodosDays * DAY_MS,
      telemetry: own.retentionTelemetryDays * DAY_MS,
      log: own.retentionLogsDays * DAY_MS,
    },
  };
}
