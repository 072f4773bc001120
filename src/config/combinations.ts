import type { SettingName, SettingValues } from '../config.js';
import { formatDuration } from './units.js';

/**
 * Combinations under which nothing could work; what is merely unusual (as in tests with short thresholds) is allowed.
 * `broken` names settings whose own value is wrong: nothing is said of them a second time.
 */
export function checkCombinations(
  settings: SettingValues,
  group: string,
  broken: (setting: SettingName) => boolean,
): readonly string[] {
  const problems: string[] = [];
  const scope = group === '' ? '' : `groups.${group}: `;
  const beat = settings.heartbeatIntervalMs;
  const limits = [
    ['STALE_THRESHOLD_MS', settings.staleThresholdMs],
    ['ABSOLUTE_CEILING_MS', settings.absoluteCeilingMs],
  ] as const;
  for (const [name, limitMs] of limits) {
    if (beat === null || limitMs >= 2 * beat || broken(name) || broken('HEARTBEAT_INTERVAL_MS')) continue;
    problems.push(
      `${scope}${name} (${formatDuration(limitMs)}) is below two heartbeat intervals (HEARTBEAT_INTERVAL_MS is ` +
        `${formatDuration(beat)}): healthy containers would be stopped; raise it or lower HEARTBEAT_INTERVAL_MS`,
    );
  }
  if (group === '' && settings.runtime === 'process' && settings.image !== null) {
    problems.push('RUNTIME is process and IMAGE is set for all groups: sessions with an image need docker; drop one');
  }
  return problems;
}
