import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { loadSettings } from '../config/load.js';
import type { SettingsSources } from '../config/load.js';
import type { Settings } from '../config.js';
import type { RuntimeKind } from '../runtime/choose-runtime.js';

export interface Places {
  readonly dataDir: string;
  readonly configFile: string | undefined;
  /** `--runtime`, where it was given. */
  readonly runtime: 'auto' | RuntimeKind | undefined;
}

export function settingsOf(places: Places): Settings {
  return loadSettings({ ...sourcesOf(places), readFile });
}

/** The same places once more: what is gone or cannot be read by now is a problem. */
export function settingsAgain(places: Places, before: Settings): Settings {
  return loadSettings({ ...sourcesOf(places), fileExpected: before.file !== null, readFile: readPlainFile });
}

function sourcesOf({ dataDir, configFile, runtime }: Places): Omit<SettingsSources, 'readFile'> {
  return { dataDir, configPath: configFile, env: process.env, flags: { RUNTIME: runtime } };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** In a running daemon, which a pipe that nobody writes to would hold up for good. */
function readPlainFile(path: string): string | undefined {
  const descriptor = openExisting(path);
  if (descriptor === undefined) return undefined;
  try {
    if (fstatSync(descriptor).isFile()) return readFileSync(descriptor, 'utf8');
    throw Object.assign(new Error(`${path} is no plain file`), { code: 'no plain file' });
  } finally {
    closeSync(descriptor);
  }
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
