/** Stops for cause: the claims of the incarnation are settled and cost a try. */
export type CauseReason =
  'stale_and_stuck' | 'ceiling' | 'not_claiming' | 'no_progress' | 'turn_timeout' | 'locked' | 'hostile' | 'corrupt';

/** Ends that the host or the engine brings about: they cost neither a try nor a start. */
export type HostReason =
  'idle' | 'yielded' | 'recycled' | 'drained' | 'replaced' | 'suspended' | 'closed' | 'orphan' | 'engine_restart';

export type StopReason = CauseReason | HostReason;

export type HoldReason = 'fruitless_starts' | 'settled_failures' | 'oom_kills';

const HOST_REASONS: readonly (StopReason | null)[] = [
  'idle',
  'yielded',
  'recycled',
  'drained',
  'replaced',
  'suspended',
  'closed',
  'orphan',
  'engine_restart',
] satisfies readonly HostReason[];

/** null: it ended by itself. */
export function isHostReason(reason: StopReason | null): boolean {
  return HOST_REASONS.includes(reason);
}
