import type { Settings } from '../config.js';
import { checkCombinations } from './combinations.js';
import type { SettingChange } from './diff.js';
import { diffSettings, untilRestart } from './diff.js';
import { WrongSettings } from './load.js';

/** What became of an attempt to read the settings again. */
export type Reload =
  | {
      readonly kind: 'reloaded';
      /** To be in effect from now on. */
      readonly settings: Settings;
      readonly changed: readonly SettingChange[];
    }
  | { readonly kind: 'refused'; readonly problems: readonly string[]; readonly warnings: readonly string[] };

/** All or nothing: one problem, and what is in effect stays. */
export function reloadSettings(inEffect: Settings, load: () => Settings): Reload {
  let next: Settings;
  try {
    next = load();
  } catch (error) {
    if (!(error instanceof WrongSettings)) throw error;
    return { kind: 'refused', problems: error.problems, warnings: error.warnings };
  }
  const settings = untilRestart(inEffect, next);
  const problems = checkCombinations(settings, '', () => false);
  if (problems.length === 0) return { kind: 'reloaded', settings, changed: diffSettings(inEffect, next) };
  const explained = problems.map(
    (problem) => `${problem}; what takes a restart is still as it was: restart the daemon`,
  );
  return { kind: 'refused', problems: explained, warnings: next.warnings };
}
