import type { Policy } from './policy.js';
import { isHostReason } from './reasons.js';
import type { HoldReason, StopReason } from './reasons.js';

/** The restart guard's memory of one session; kept in the registry. */
export interface GuardState {
  /** Fruitless starts in a row. */
  readonly fruitless: number;
  /** No start before; 0: any time. */
  readonly notBeforeMs: number;
  readonly heldSinceMs: number | null;
  readonly holdReason: HoldReason | null;
  /** While held; null: one probe interval after the hold began. */
  readonly nextProbeAtMs: number | null;
  /** Messages in a row that ended `failed` by settling. */
  readonly settledFailures: number;
  /** OOM kills in a row. */
  readonly oomKills: number;
}

export type StartPermission =
  | { readonly kind: 'allowed'; readonly reason: 'due' | 'probe' }
  | { readonly kind: 'wait'; readonly reason: 'restart_backoff' | 'held'; readonly untilMs: number };

type GuardPolicy = Pick<Policy, 'guardMaxRestarts' | 'guardProbeMs'>;

const FIRST_RESTART_MS = 1_000;
/** As many as GUARD_MAX_RESTARTS can ask for; a held session's probes may fail without end. */
const MOST_DOUBLINGS = 19;
const MOST_SETTLED_FAILURES = 3;
const MOST_OOM_KILLS = 2;

export function freshGuard(): GuardState {
  return {
    fruitless: 0,
    notBeforeMs: 0,
    heldSinceMs: null,
    holdReason: null,
    nextProbeAtMs: null,
    settledFailures: 0,
    oomKills: 0,
  };
}

/** What an operator's release leaves: nothing. */
export function releaseGuard(): GuardState {
  return freshGuard();
}

/** Whether a container may be started now. A time further away than the guard ever sets is a clock set back: no wait. */
export function startPermission(guard: GuardState, policy: GuardPolicy, nowMs: number): StartPermission {
  if (guard.heldSinceMs !== null) {
    const untilMs = guard.nextProbeAtMs ?? guard.heldSinceMs + policy.guardProbeMs;
    if (isAhead(untilMs, nowMs, policy.guardProbeMs)) return { kind: 'wait', reason: 'held', untilMs };
    return { kind: 'allowed', reason: 'probe' };
  }
  if (isAhead(guard.notBeforeMs, nowMs, restartDelayMs(guard.fruitless))) {
    return { kind: 'wait', reason: 'restart_backoff', untilMs: guard.notBeforeMs };
  }
  return { kind: 'allowed', reason: 'due' };
}

/** A probe pushes the next one a whole interval away, however it ends. */
export function guardAfterStart(guard: GuardState, policy: GuardPolicy, nowMs: number): GuardState {
  return guard.heldSinceMs === null ? guard : { ...guard, nextProbeAtMs: nowMs + policy.guardProbeMs };
}

export interface GuardedEnd {
  /** See `isFruitless`; a refused start is one too. */
  readonly fruitless: boolean;
  /** By the engine's flag, never from an exit code. */
  readonly oomKilled: boolean;
  readonly hostCaused: boolean;
}

export function guardAfterEnd(guard: GuardState, end: GuardedEnd, policy: GuardPolicy, nowMs: number): GuardState {
  if (end.hostCaused) return end.oomKilled ? guard : afterHealthyMemory(guard);
  const counted = end.oomKilled ? { ...guard, oomKills: guard.oomKills + 1 } : afterHealthyMemory(guard);
  const after = end.fruitless ? afterFruitless(counted, policy, nowMs) : guardAfterClaim(counted);
  return after.oomKills >= MOST_OOM_KILLS ? held(after, 'oom_kills', nowMs) : after;
}

/** A claim ends a row of fruitless starts, and the hold that it led to. */
export function guardAfterClaim(guard: GuardState): GuardState {
  return lifted({ ...guard, fruitless: 0, notBeforeMs: 0 }, 'fruitless_starts');
}

/** Messages that one look saw end. Completed ones come first: acks are synced before claims are settled. */
export function guardAfterMessages(
  guard: GuardState,
  ended: { readonly settledFailed: number; readonly completed: number },
  nowMs: number,
): GuardState {
  const before = ended.completed > 0 ? lifted({ ...guard, settledFailures: 0 }, 'settled_failures') : guard;
  const after = { ...before, settledFailures: before.settledFailures + ended.settledFailed };
  return after.settledFailures >= MOST_SETTLED_FAILURES ? held(after, 'settled_failures', nowMs) : after;
}

/** Whether an incarnation ended without claim, ack or answer, and not because the host or the engine ended it. */
export function isFruitless(incarnation: {
  readonly claimed: boolean;
  readonly sawAckOfIncarnation: boolean;
  readonly answered: boolean;
  readonly stopReason: StopReason | null;
  readonly engineRestarted?: boolean;
}): boolean {
  if (incarnation.claimed || incarnation.sawAckOfIncarnation || incarnation.answered) return false;
  if (incarnation.engineRestarted === true) return false;
  return !isHostReason(incarnation.stopReason);
}

function isAhead(untilMs: number, nowMs: number, mostMs: number): boolean {
  return untilMs > nowMs && untilMs - nowMs <= mostMs;
}

/** 1, 2, 4 s after the first, second, third fruitless start in a row. */
function restartDelayMs(fruitless: number): number {
  return FIRST_RESTART_MS * 2 ** Math.min(fruitless - 1, MOST_DOUBLINGS);
}

function afterFruitless(guard: GuardState, policy: GuardPolicy, nowMs: number): GuardState {
  const fruitless = guard.fruitless + 1;
  const after = { ...guard, fruitless, notBeforeMs: nowMs + restartDelayMs(fruitless) };
  return fruitless > policy.guardMaxRestarts ? held(after, 'fruitless_starts', nowMs) : after;
}

/** An incarnation that was not killed for its memory ends the row of those that were, and the hold that it led to. */
function afterHealthyMemory(guard: GuardState): GuardState {
  return lifted({ ...guard, oomKills: 0 }, 'oom_kills');
}

function held(guard: GuardState, holdReason: HoldReason, nowMs: number): GuardState {
  if (guard.heldSinceMs !== null) return guard;
  return { ...guard, heldSinceMs: nowMs, holdReason, nextProbeAtMs: null };
}

function lifted(guard: GuardState, reason: HoldReason): GuardState {
  if (guard.holdReason !== reason) return guard;
  return { ...guard, heldSinceMs: null, holdReason: null, nextProbeAtMs: null };
}
