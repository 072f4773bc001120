import type { Budget } from './budget.js';

/** The thresholds that decisions depend on; milliseconds unless named otherwise. Ranges and defaults: config.ts. */
export interface Policy {
  readonly sweepIntervalMs: number;
  readonly staleThresholdMs: number;
  readonly claimStuckMs: number;
  readonly absoluteCeilingMs: number;
  readonly noProgressMs: number;
  /** null: off. */
  readonly turnTimeoutMs: number | null;
  readonly notClaimingMs: number;
  readonly idleTimeoutMs: number;
  readonly startGraceMs: number;
  readonly maxTries: number;
  readonly backoffBaseMs: number;
  readonly maxToolTimeoutMs: number;
  /** What the session may use, and all of its group together. */
  readonly budgets: { readonly session: Budget; readonly group: Budget };
  readonly lockedStopMs: number;
  /** How long after its last use a provider's session is resumed; 0: always. */
  readonly maxSessionAgeMs: number;
  /** Restarts that follow a fruitless first start. */
  readonly guardMaxRestarts: number;
  readonly guardProbeMs: number;
  /** Zone of series that name none. */
  readonly timezone: string;
  readonly foreignAnswered: 'retry' | 'complete';
  /** What becomes of claims that an outage left behind, where nothing happened for `staleActiveMs`. */
  readonly staleActive: 'fail' | 'retry';
  readonly staleActiveMs: number;
  /** Whether NO_PROGRESS_MS judges this session's runner (the `command` provider only when TURN_TIMEOUT_MS is set). */
  readonly progressJudged: boolean;
}
