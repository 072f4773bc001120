import type { Settings } from '../../../src/config.js';
import type { SettingsSources } from '../../../src/config/load.js';
import { loadSettings } from '../../../src/config/load.js';
import { NightporterError } from '../../../src/protocol/errors.js';

type Given = Partial<Omit<SettingsSources, 'readFile'>> & { readonly file?: string };

/** Settings from a config file's text, an environment and flags, nothing of this machine. */
export function settingsFrom({ file, ...given }: Given = {}): Settings {
  const sources = { dataDir: '/data', configPath: undefined, env: {}, flags: {}, ...given };
  const path = sources.configPath ?? '/data/config.yaml';
  return loadSettings({ ...sources, readFile: (asked) => (asked === path ? file : undefined) });
}

/** The problems that these sources have, one text each. */
export function problemsOf(given: Given): readonly string[] {
  try {
    settingsFrom(given);
  } catch (error) {
    if (!(error instanceof NightporterError) || error.code !== 'usage') throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}
