import type { HoldReason } from './reasons.js';

/** The restart guard's memory of one session; kept in the registry. */
export interface GuardState {
  /** Fruitless starts in a row. */
  readonly fruitless: number;
  /** No start before; 0: any time. */
  readonly notBeforeMs: number;
  readonly heldSinceMs: number | null;
  readonly holdReason: HoldReason | null;
  readonly nextProbeAtMs: number | null;
  /** Messages in a row that ended `failed` by settling. */
  readonly settledFailures: number;
  /** OOM kills in a row. */
  readonly oomKills: number;
}
