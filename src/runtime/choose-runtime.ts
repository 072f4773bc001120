import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Surroundings } from './docker/engine-address.js';
import { findEngineAddress } from './docker/engine-address.js';

export type RuntimeKind = 'docker' | 'process';

export interface RuntimeChoice {
  readonly kind: RuntimeKind;
  /** For people: `--runtime docker`, `recorded at the first start`, `DOCKER_HOST`, `no engine is installed`. */
  readonly reason: string;
}

export interface RuntimeQuestion {
  readonly asked: 'auto' | RuntimeKind;
  /** What the data dir recorded at its first start. */
  readonly recorded: RuntimeKind | undefined;
  readonly around: Surroundings;
}

/**
 * Decides once: what was asked for explicitly, else what was recorded, else docker wherever an engine is installed (and
 * then waits for it if it is down), process only where none is.
 */
export function chooseRuntime({ asked, recorded, around }: RuntimeQuestion): RuntimeChoice {
  if (asked !== 'auto') return { kind: asked, reason: 'asked for' };
  if (recorded !== undefined) return { kind: recorded, reason: 'recorded at the first start' };
  const engine = findEngineAddress(around);
  return engine === undefined
    ? { kind: 'process', reason: 'no container engine is installed' }
    : { kind: 'docker', reason: `${engine.source} (${engine.url})` };
}

/** The machine that this process runs on. */
export function thisMachine(env: Surroundings['env'] = process.env): Surroundings {
  return {
    env,
    homeDir: env['HOME'] ?? homedir(),
    uid: process.getuid?.() ?? -1,
    exists: existsSync,
    readText: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return undefined; // not there or not ours to read: it names no engine
      }
    },
    which: (program) => (env['PATH'] ?? '').split(delimiter).some((folder) => isProgram(join(folder || '.', program))),
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
