import type { SessionAddress } from '../protocol/address.js';
import type { ContainerSpec } from './runtime.js';

/** What `doctor` asks of the store; works in a child process with a deadline, and changes nothing. */
export interface StoreExaminer {
  /** Whether the SQLite addon loads into this Node; its version. */
  sqlite(): Promise<Examined<string>>;
  /** `PRAGMA quick_check` of registry.db: what it complains of, nothing where it is sound. */
  registry(): Promise<Examined<RegistryCondition>>;
  /** The session folders on disk against the rows of the registry. */
  folders(nowMs: number): Promise<Examined<FolderDrift>>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** `failed`: it could not be told, and why. */
export type Examined<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly detail: string; readonly code: string | undefined };

export interface RegistryCondition {
  readonly bytes: number;
  /** At most 10. */
  readonly complaints: readonly string[];
}

export interface FolderDrift {
  readonly sessions: number;
  readonly folders: number;
  /** Sessions whose files were there once, and are not any more. */
  readonly withoutFolder: Some<SessionAddress>;
  /** Folders of no session, without those that changed in the last minute. */
  readonly withoutSession: Some<StrayFolder>;
}

export interface StrayFolder {
  /** `group/session`, as it is on disk. */
  readonly path: string;
  readonly ageMs: number;
}

/** How many there are, and at most 100 of them. */
export interface Some<T> {
  readonly count: number;
  readonly examples: readonly T[];
}

/** What `doctor` asks of a runtime beside the port that the rounds use. Every call ends within its deadline. */
export interface RuntimeExaminer {
  /** Rejects with RuntimeUnavailable when nothing answers. */
  describe(): Promise<RuntimeCondition>;
  /**
   * Runs the runner of `spec` once, with the user, mounts and hardening of real containers, and waits for its end. No
   * runtime lists it; when this resolves nothing of it is left. Rejects with `refused` when it cannot be started.
   */
  probe(spec: ContainerSpec): Promise<ProbeReport>;
  /** Removes probes of this install that an interrupted `doctor` left behind; how many. */
  removeLeftovers(): Promise<number>;
  close(): void;
}

export interface RuntimeCondition {
  /** For people: `Docker 28.2.2, API 1.50`. */
  readonly description: string;
  readonly runner: RunnerCondition;
}

export type RunnerCondition =
  | { readonly kind: 'ready'; readonly what: string }
  /** Not there yet; the next start makes it from `base`, which is there. */
  | { readonly kind: 'made_at_start'; readonly what: string; readonly base: string }
  /** Neither it nor `base` is there: the next start pulls that, or fails. */
  | { readonly kind: 'base_missing'; readonly what: string; readonly base: string }
  /** Cannot be made at all. */
  | { readonly kind: 'missing'; readonly what: string };

export interface ProbeReport {
  /** What was tried inside; empty where nothing is isolated. */
  readonly tried: readonly { readonly what: string; readonly held: boolean; readonly detail: string }[];
  /** False: there is no runner yet, only mounts and rights were tried. */
  readonly ranRunner: boolean;
  /** null: it did not end in time and was killed, or by a signal. */
  readonly exitCode: number | null;
  /** At most 4 KiB from the end. */
  readonly output: string;
}
