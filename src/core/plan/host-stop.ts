import type { Action } from '../action.js';
import { heldClaims } from '../claims.js';
import type { FilesFacts } from '../facts.js';
import { startOf } from '../memory.js';
import type { RunningMemory } from '../memory.js';
import type { SessionObservation } from '../observation.js';
import type { HostReason } from '../reasons.js';
import type { Running } from './judge.js';

/** Stops that the host wants for its own reasons: only between turns, a running one is waited for. */
export function planHostStop(
  observation: Pick<SessionObservation, 'status' | 'draining'>,
  running: Running,
  facts: FilesFacts,
  memory: RunningMemory,
  rearmWaits: boolean,
): readonly Action[] {
  const reason = findReason(observation, running, rearmWaits);
  if (reason === undefined) return [];
  const held = heldClaims(facts, { epoch: running.epoch, startedAtMs: startOf(memory) });
  if (held.length === 0) return [{ kind: 'stop', reason, detail: 'it holds no claim' }];
  return [{ kind: 'wait', reason: 'turn_running', untilMs: null, detail: `${reason}: ${held.length} claims held` }];
}

function findReason(
  { status, draining }: Pick<SessionObservation, 'status' | 'draining'>,
  running: Running,
  rearmWaits: boolean,
): HostReason | undefined {
  if (status !== 'active') return status;
  if (draining) return 'drained';
  if (running.outdated) return 'replaced';
  return rearmWaits ? 'recycled' : undefined;
}
