import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Policy } from '../core/policy.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { SweepAction } from '../ports/rounds.js';
import type { SessionFiles } from '../ports/session-files.js';
import type { SessionAddress } from '../protocol/address.js';
import type { SpecSource } from './container-spec.js';
import type { Budgets } from './budgets.js';
import type { Faults } from './faults.js';
import type { Fleet } from './fleet.js';
import type { LeftBehind } from './left-behind.js';
import type { Operations } from './operations.js';
import type { ProviderGates } from './provider-gates.js';
import type { RuntimeGate } from './runtime-gate.js';

/** What all parts of the rounds share. */
export interface Porter {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly gate: RuntimeGate;
  readonly providers: ProviderGates;
  readonly budgets: Budgets;
  readonly leftBehind: LeftBehind;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  /** Those in effect now. */
  settings(): RoundsSettings;
  readonly specs: SpecSource;
  readonly fleet: Fleet;
  readonly operations: Operations;
  readonly faults: Faults;
  policy(record: SessionRecord): Policy;
  /** A reason to look at the session soon. */
  hint(session: SessionAddress): void;
  /** Resolves in a turn of the event loop of its own: what commits or computes does not add up to a long one. */
  turn(): Promise<void>;
  /** Runs `work` while nobody looks at the session. */
  alone<T>(session: SessionAddress, work: () => Promise<T>): Promise<T>;
  /** Looks at the session after `delayMs`. */
  alarm(session: SessionAddress, delayMs: number): void;
  isDraining(): boolean;
  /** The daemon ends: nothing new is begun. */
  isStopping(): boolean;
}

export interface RoundsSettings {
  readonly sweepIntervalMs: number;
  readonly busyRetryMaxMs: number;
  readonly drainTimeoutMs: number;
  readonly maxConcurrentContainers: number;
  /** How often the files of running sessions are compared with what the last look saw. */
  readonly watchIntervalMs: number;
  /** Sessions whose signatures are compared in each round although nothing is known to be due. */
  readonly driftSlice: number;
  readonly orphans: 'adopt' | 'remove';
}

/** One pass: what all its looks have in common. */
export interface Pass {
  readonly kind: 'round' | 'hint' | 'dry';
  /** Why stops for staleness wait; only a round judges staleness. */
  readonly stalenessWaits: 'mass_stale' | 'late_round' | 'clock_jump' | 'between_rounds' | null;
  record(action: SweepAction): void;
  /** A session could not be looked at. */
  error(session: SessionAddress): void;
}

/** A pass on behalf of a hint: nobody collects its actions. */
export const HINT_PASS: Pass = {
  kind: 'hint',
  stalenessWaits: 'between_rounds',
  record: () => undefined,
  error: () => undefined,
};
