import type { Action } from '../action.js';
import { startPermission } from '../guard.js';
import type { GuardState } from '../guard.js';
import type { SessionObservation } from '../observation.js';
import type { Policy } from '../policy.js';

type WaitReason = Extract<Action, { readonly kind: 'wait' }>['reason'];

/**
 * Wakes a session that has due work and no running container, or says why not. Whether there is room is decided over all
 * sessions. `guard`: as the actions before leave it; `dueSinceMs` null: nothing is due.
 */
export function planWake(
  observation: Pick<SessionObservation, 'status' | 'blocked' | 'draining' | 'container' | 'gate' | 'budget'>,
  dueSinceMs: number | null,
  guard: GuardState,
  policy: Policy,
  nowMs: number,
): readonly Action[] {
  if (dueSinceMs === null) return [];
  const obstacle = findObstacle(observation);
  if (obstacle !== undefined) {
    return [{ kind: 'wait', reason: obstacle, untilMs: null, detail: OBSTACLES[obstacle] }];
  }
  const { gate, budget } = observation;
  if (budget.kind === 'spent') {
    return [{ kind: 'wait', reason: 'budget_spent', untilMs: budget.untilMs, detail: budget.detail }];
  }
  if (gate.kind === 'limited' || gate.kind === 'untried') {
    return [{ kind: 'wait', ...GATES[gate.kind], untilMs: gate.untilMs }];
  }
  const permission = startPermission(guard, policy, nowMs);
  if (permission.kind === 'allowed') return [{ kind: 'wake', reason: permission.reason, dueSinceMs }];
  const detail = guard.holdReason ?? `${guard.fruitless} fruitless starts in a row`;
  return [{ kind: 'wait', reason: permission.reason, untilMs: permission.untilMs, detail }];
}

const GATES = {
  limited: {
    reason: 'provider_limited',
    detail: 'its provider limits us: one session at a time tries whether it still does',
  },
  untried: {
    reason: 'provider_untried',
    detail: 'nothing was heard from its provider lately: another session asks it first',
  },
} as const;

const OBSTACLES = {
  suspended: 'the session is suspended',
  closed: 'the session is closed',
  blocked: 'its container could not be stopped',
  draining: 'the daemon is draining',
  runtime_unknown: 'the runtime does not answer',
  in_flight: 'a start or stop is in flight',
} as const satisfies Partial<Record<WaitReason, string>>;

function findObstacle({
  status,
  blocked,
  draining,
  container,
}: Pick<SessionObservation, 'status' | 'blocked' | 'draining' | 'container'>): keyof typeof OBSTACLES | undefined {
  if (status !== 'active') return status;
  if (blocked) return 'blocked';
  if (draining) return 'draining';
  if (container.kind === 'unknown') return 'runtime_unknown';
  if (container.kind === 'in_flight') return 'in_flight';
  return undefined;
}
