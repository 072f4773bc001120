import type { SessionAddress } from '../protocol/address.js';

/** What keeps sessions, conversations, messages and artifacts from piling up: in the daemon by itself, or when it is asked for. */
export interface Upkeep {
  /** All of it, once, now. A dry run changes nothing and lists exactly what this would do. */
  collect(options: CollectOptions): Promise<GcReport>;
}

export interface CollectOptions {
  readonly dryRun: boolean;
  /** Also moves folders that are of no session, untouched for over 14 days, below `archive/`. */
  readonly archive?: boolean | undefined;
}

export interface GcReport {
  readonly actions: readonly GcAction[];
  /** Sessions that were kept although they are old, by why: what could not be told is among them. */
  readonly kept: Readonly<Record<string, number>>;
  /** Jobs that broke off; what they did before is among the actions. */
  readonly failures: readonly GcFailure[];
}

export interface GcFailure {
  readonly job: string;
  readonly why: string;
}

/** One thing that is closed, deleted, dropped or given back, with its own details beside these five. */
export interface GcAction {
  readonly session: SessionAddress | null;
  readonly action: string;
  readonly reason: string;
  /** Absolute; null: nothing that has a path. */
  readonly path: string | null;
  /** That are freed on disk, as far as they could be counted; null: they could not. */
  readonly bytes: number | null;
  readonly [detail: string]: string | number | boolean | null;
}

/** What upkeep asks of whoever supervises the sessions. */
export interface Supervision {
  /** Runs `work` while nobody looks at the session, with what the runtime has of it just now. */
  undisturbed<T>(session: SessionAddress, work: (container: ContainerPresence) => Promise<T>): Promise<T>;
  /** A reason to look at a session now. */
  hint(session: SessionAddress): void;
  /** Resolves in a turn of the event loop of its own. */
  turn(): Promise<void>;
}

/** `running`: or about to start or stop. `unknown`: the runtime cannot be asked. */
export type ContainerPresence = 'none' | 'running' | 'unknown';
