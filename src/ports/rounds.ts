import type { SessionAddress } from '../protocol/address.js';
import type { NoticeRecord } from './notices.js';

/** What the desk may ask of the rounds, in the daemon or in a single round by itself. */
export interface Rounds {
  /** A reason to look at a session now; carries who, never what. Coalesced. */
  hint(session: SessionAddress): void;
  /** One round now. A dry run changes nothing and lists what a real one would do first. */
  sweep(options: { readonly dryRun: boolean }): Promise<SweepReport>;
  /** Stops waking, lets running turns finish (at most DRAIN_TIMEOUT_MS), then stops. Resolves when nothing runs. */
  drain(): Promise<DrainReport>;
  state(): RoundsState;
  /** Runs `work` while nobody else looks at the session, or works on it so. */
  undisturbed<T>(session: SessionAddress, work: () => Promise<T>): Promise<T>;
}

export interface SweepReport {
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Sessions looked at. */
  readonly swept: number;
  /** Active sessions that the gate passed over. */
  readonly skipped: number;
  /** Sessions that could not be looked at. */
  readonly errors: number;
  readonly actions: readonly SweepAction[];
}

/** One change, with its own details beside these three (message, containerId, path, ...). */
export interface SweepAction {
  readonly session: SessionAddress | null;
  readonly action: string;
  readonly reason: string;
  readonly [detail: string]: string | number | boolean | null;
}

export interface DrainReport {
  readonly stopped: number;
  /** Sessions whose turn was not finished in time. */
  readonly interrupted: readonly SessionAddress[];
}

export interface RoundsState {
  readonly runtime: RuntimeState;
  readonly running: readonly RunningSession[];
  /** Sessions with due work that wait for room. */
  readonly waiting: number;
  readonly draining: boolean;
  readonly lastSweep: Omit<SweepReport, 'actions'> | null;
  /** Open ones that the registry did not take yet. */
  readonly unrecordedNotices: readonly NoticeRecord[];
}

export interface RuntimeState {
  readonly kind: string;
  readonly state: 'up' | 'down' | 'unknown';
  /** For people. */
  readonly description: string;
  readonly downSinceMs: number | null;
}

export interface RunningSession {
  readonly session: SessionAddress;
  readonly epoch: number;
  readonly containerId: string;
  readonly startedAtMs: number | null;
}
