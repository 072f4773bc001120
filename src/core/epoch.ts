import { epochOf } from '../protocol/address.js';
import type { Epoch } from '../protocol/address.js';

/** A container may lie: what its acks claim counts only this far above what the host knows. */
const MOST_ABOVE = 1_000;

/** Whoever may have numbered an incarnation of this session. What is no epoch is left aside. */
export interface KnownEpochs {
  readonly registry: number;
  /** Of the session's containers, in every state. */
  readonly labels?: readonly number[];
  /** Incarnations that acks name. */
  readonly acks: readonly (number | null)[];
}

/** Number of a new incarnation: 1 + the highest known, so that a restored registry cannot go back. */
export function nextEpoch({ registry, labels = [], acks }: KnownEpochs): Epoch {
  const trusted = Math.max(0, ...[registry, ...labels].filter(isUsable));
  const acked = acks.filter(isUsable).filter((epoch) => epoch <= trusted + MOST_ABOVE);
  return epochOf(Math.max(trusted, ...acked) + 1);
}

/** One after which another can come. */
function isUsable(epoch: number | null): epoch is number {
  return Number.isSafeInteger(epoch) && epoch !== Number.MAX_SAFE_INTEGER;
}
