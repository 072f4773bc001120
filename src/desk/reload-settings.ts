import { NightporterError } from '../protocol/errors.js';
import type { Desk } from './desk.js';
import type { ReloadView } from './views.js';

/**
 * Reads the settings again and puts them into effect, all of them or none.
 * @throws NightporterError `usage` (every problem at once), `unavailable` (no daemon)
 */
export function reloadSettings({ reloadSettings: reload }: Desk): ReloadView {
  if (reload === null)
    throw new NightporterError('unavailable', 'no daemon runs here that could read its settings again');
  const outcome = reload();
  if (outcome.kind === 'refused') throw new NightporterError('usage', refusal(outcome.problems));
  const { changed, settings } = outcome;
  return { changed, warnings: settings.warnings, file: settings.file };
}

function refusal(problems: readonly string[]): string {
  const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} with the settings`;
  return `${count}, those before stay in effect:${problems.map((problem) => `\n  ${problem}`).join('')}`;
}
