import type { FilesFacts } from './facts.js';
import type { GuardState } from './guard.js';
import type { BudgetPermission } from './budget.js';
import type { RunningMemory } from './memory.js';
import type { GatePermission } from './provider-gate.js';
import type { StopReason } from './reasons.js';

/** Everything that the plan of one session may depend on. */
export interface SessionObservation {
  readonly status: 'active' | 'suspended' | 'closed';
  readonly quarantined: boolean;
  /** Its container could not be stopped: no wake until the runtime says that it is gone. */
  readonly blocked: boolean;
  readonly guard: GuardState;
  /** Number of the incarnation begun last; 0: none yet. */
  readonly epoch: number;
  /** How the incarnation `epoch` ended; null when it runs or is not known. */
  readonly lastEnd: LastEnd | null;
  readonly container: ContainerFacts;
  readonly files: FilesObservation;
  /** The daemon is draining: nothing is woken, what is without a claim is stopped. */
  readonly draining: boolean;
  /** Whether its provider lets it be woken. */
  readonly gate: GatePermission;
  /** Whether its budget and that of its group let it have another turn. */
  readonly budget: BudgetPermission;
  /** Its claims, or its container, are of before this host process started, and no container was found running since. */
  readonly leftBehind: boolean;
}

export interface LastEnd {
  readonly stopReason: StopReason | null;
  /** Its confirmed start: a counted claim that is older than it was left behind by one before. */
  readonly startedAtMs?: number | null;
  /** Where the runtime knows; only named in the errors of messages. */
  readonly exitCode?: number | null;
  readonly oomKilled?: boolean;
  /** The end of its output. */
  readonly lastOutput?: string;
}

export type ContainerFacts =
  | { readonly kind: 'none' }
  /** The engine does not answer: nothing is settled, woken or stopped. */
  | { readonly kind: 'unknown' }
  /** A start or stop of this process is in flight: spared. */
  | { readonly kind: 'in_flight' }
  | {
      readonly kind: 'running';
      readonly epoch: number;
      /** The confirmed start, wall clock. */
      readonly startedAtMs: number;
      /** Its spec hash is not the present one. */
      readonly outdated: boolean;
    };

export type FilesObservation =
  | { readonly kind: 'read'; readonly facts: FilesFacts; readonly memory: RunningMemory }
  /** Locked against the host for `forMs` of monotonic time. */
  | { readonly kind: 'busy'; readonly forMs: number; readonly detail: string }
  | { readonly kind: 'hostile'; readonly file: string; readonly detail: string }
  /** Said 3 times of unchanged bytes. */
  | { readonly kind: 'corrupt'; readonly file: 'inbound.db' | 'outbound.db'; readonly detail: string }
  /** Not looked at, or not decided yet (a first NOTADB): nothing is done that needs them. */
  | { readonly kind: 'unread' };

/** What all sessions of one pass share. */
export interface PassContext {
  readonly nowMs: number;
  readonly monotonicMs: number;
  /** Why stops for staleness wait; null: they do not. `between_rounds`: a look on a hint, only rounds judge staleness. */
  readonly stalenessWaits: 'mass_stale' | 'late_round' | 'clock_jump' | 'between_rounds' | null;
}
