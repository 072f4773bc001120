import type { ProcessIdentity } from './process-identity.js';

/** Files in a container's folder, `<host dir>/run/<container id>/`. Loaded by the shim: imports nothing. */
export const SHIM_FILE = 'shim.json';
export const RUNNER_FILE = 'runner.json';
export const EXIT_FILE = 'exit.json';
export const OUTPUT_FILE = 'output.log';
export const OLDER_OUTPUT_FILE = 'output.1.log';

/** Each of the two output files grows to this at most. */
export const OUTPUT_FILE_MAX_BYTES = 1024 * 1024;

/** What the shim is told, as JSON on its stdin: never in arguments or files, the environment may hold secrets. */
export interface ShimOrder {
  readonly folder: string;
  /** Program and arguments. */
  readonly runner: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** What the shim answers once, as one JSON text on its descriptor 3. */
export type ShimAnswer =
  | { readonly kind: 'started'; readonly runner: RunnerRecord }
  /** The runner's program cannot be started. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** Someone else took the container's fence: it must not start any more. */
  | { readonly kind: 'void' }
  | { readonly kind: 'failed'; readonly detail: string };

/** shim.json, the fence: whoever creates it decides. The shim, before it starts the runner, or what voids the start. */
export interface ShimRecord {
  readonly kind: 'shim';
  readonly shim: ProcessIdentity;
}
/** Where shim.json leads when the start was voided. There is no such file. */
export const VOID_FENCE = 'void';

/** runner.json. */
export interface RunnerRecord {
  readonly runner: ProcessIdentity;
  readonly startedAtMs: number;
}

/** exit.json. */
export interface ExitRecord {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly finishedAtMs: number;
}
