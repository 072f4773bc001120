import type { ContainerStateRow } from '../../protocol/rows.js';
import type { Action } from '../action.js';
import { claimKey, heldClaims } from '../claims.js';
import type { AckedMessage, FilesFacts } from '../facts.js';
import { instantOf, livenessAgeMs, startOf, stateOf, unchangedForMs } from '../memory.js';
import type { RunningMemory } from '../memory.js';
import type { ContainerFacts, PassContext } from '../observation.js';
import type { Policy } from '../policy.js';
import type { CauseReason, StopReason } from '../reasons.js';

export type Running = Extract<ContainerFacts, { readonly kind: 'running' }>;

const LEAST_DECLARED_THRESHOLD_MS = 60_000;
const DECLARED_INTERVALS = 6;

interface Look {
  readonly facts: FilesFacts;
  readonly memory: RunningMemory;
  readonly policy: Policy;
  readonly context: PassContext;
  readonly claims: readonly AckedMessage[];
  /** `container_state` of this incarnation. */
  readonly state: ContainerStateRow | null;
}

interface Verdict {
  readonly reason: CauseReason | 'idle';
  readonly detail: string;
}

/** Whether a running container has to be stopped for what it does or fails to do: a stop, a wait, or nothing. */
export function planJudge(
  running: Running,
  facts: FilesFacts,
  memory: RunningMemory,
  policy: Policy,
  context: PassContext,
): readonly Action[] {
  if (memory.epoch !== running.epoch || isInGrace(memory, policy, context)) return [];
  const claims = heldClaims(facts, { epoch: running.epoch, startedAtMs: startOf(memory) });
  const look: Look = { facts, memory, policy, context, claims, state: stateOf(facts, running.epoch) };
  const isDead = isStale(memory, running, policy, context);
  const silent = (isDead ? findStuck(look) : undefined) ?? findCeiling(look);
  const { stalenessWaits } = context;
  if (silent !== undefined && stalenessWaits === null) return [stop(silent)];
  const other =
    findTurnTimeout(look) ?? findNoProgress(look) ?? (isDead ? undefined : findNotClaiming(look)) ?? findIdle(look);
  if (other !== undefined) return [stop(other)];
  if (silent === undefined) return [];
  const detail = `${String(stalenessWaits)}: ${silent.reason}: ${silent.detail}`;
  return [{ kind: 'wait', reason: 'staleness_waits', untilMs: null, detail }];
}

/**
 * Whether an incarnation's liveness is over its threshold, by the wall clock and by what the host saw itself. Never
 * within the start's grace.
 */
export function isStale(
  memory: RunningMemory,
  running: { readonly epoch: number },
  policy: Policy,
  context: Pick<PassContext, 'nowMs' | 'monotonicMs'>,
): boolean {
  if (memory.epoch !== running.epoch || isInGrace(memory, policy, context)) return false;
  return isSilentFor(staleThresholdMs(memory, policy), memory, policy, context);
}

/** Where the runner says how often it beats: 6 intervals, at least 60 s, never more than the policy's own threshold. */
export function staleThresholdMs(memory: Pick<RunningMemory, 'heartbeatIntervalMs'>, policy: Policy): number {
  if (memory.heartbeatIntervalMs === null) return policy.staleThresholdMs;
  const wantedMs = Math.max(DECLARED_INTERVALS * memory.heartbeatIntervalMs, LEAST_DECLARED_THRESHOLD_MS);
  return Math.min(wantedMs, policy.staleThresholdMs);
}

function isInGrace(memory: RunningMemory, policy: Policy, { nowMs }: Pick<PassContext, 'nowMs'>): boolean {
  return nowMs - startOf(memory) <= policy.startGraceMs;
}

function isSilentFor(
  limitMs: number,
  memory: RunningMemory,
  policy: Policy,
  { nowMs, monotonicMs }: Pick<PassContext, 'nowMs' | 'monotonicMs'>,
): boolean {
  const watchedMs = Math.min(limitMs, 2 * policy.sweepIntervalMs);
  return livenessAgeMs(memory, nowMs) > limitMs && unchangedForMs(memory.heartbeat, monotonicMs) > watchedMs;
}

function findStuck(look: Look): Verdict | undefined {
  const { memory, policy, context } = look;
  const { nowMs } = context;
  const toolMs = toolTimeoutMs(look);
  const toolRunsMs = nowMs - (instantOf(memory.toolStart) ?? 0);
  if (toolMs > 0 && toolRunsMs <= toolMs) return undefined;
  const stuck = look.claims.find((claim) => nowMs - claimedAtMs(look, claim) > policy.claimStuckMs);
  if (stuck === undefined) return undefined;
  const detail = `no heartbeat for ${Math.round(livenessAgeMs(memory, nowMs))} ms, message ${stuck.message.id} claimed ${Math.round(nowMs - claimedAtMs(look, stuck))} ms ago`;
  return { reason: 'stale_and_stuck', detail };
}

function findCeiling(look: Look): Verdict | undefined {
  const { memory, policy, context } = look;
  const limitMs = Math.max(policy.absoluteCeilingMs, toolTimeoutMs(look));
  if (!isSilentFor(limitMs, memory, policy, context)) return undefined;
  return { reason: 'ceiling', detail: `no heartbeat for ${Math.round(livenessAgeMs(memory, context.nowMs))} ms` };
}

/** Counted by both clocks: a machine that slept must not end the turns that it interrupted. */
function findTurnTimeout(look: Look): Verdict | undefined {
  const { turnTimeoutMs } = look.policy;
  const claim = oldestClaim(look);
  if (turnTimeoutMs === null || claim === undefined) return undefined;
  const heldMs = Math.min(look.context.nowMs - claimedAtMs(look, claim), watchedMs(look, claim));
  if (heldMs <= turnTimeoutMs) return undefined;
  return { reason: 'turn_timeout', detail: `message ${claim.message.id} claimed ${Math.round(heldMs)} ms ago` };
}

function findNoProgress(look: Look): Verdict | undefined {
  const { memory, policy, context } = look;
  const progressAtMs = instantOf(memory.progress);
  const claim = oldestClaim(look);
  if (!policy.progressJudged || progressAtMs === null || claim === undefined) return undefined;
  const noneForMs = Math.min(
    context.nowMs - progressAtMs,
    unchangedForMs(memory.progress, context.monotonicMs),
    watchedMs(look, claim),
  );
  if (noneForMs <= policy.noProgressMs) return undefined;
  return {
    reason: 'no_progress',
    detail: `no progress on message ${claim.message.id} for ${Math.round(noneForMs)} ms`,
  };
}

function findNotClaiming(look: Look): Verdict | undefined {
  const { facts, memory, policy, context } = look;
  const sinceMonotonicMs = memory.unclaimedSinceMonotonicMs;
  if (facts.due.oldestDueAtMs === null || look.claims.length > 0 || sinceMonotonicMs === null) return undefined;
  const dueAtMs = Math.max(facts.due.oldestDueAtMs, startOf(memory));
  const unclaimedMs = Math.min(context.nowMs - dueAtMs, context.monotonicMs - sinceMonotonicMs);
  if (unclaimedMs <= policy.notClaimingMs) return undefined;
  return {
    reason: 'not_claiming',
    detail: `alive, and a message is due and unclaimed for ${Math.round(unclaimedMs)} ms`,
  };
}

function findIdle({ facts, memory, policy, context, claims }: Look): Verdict | undefined {
  const sinceMonotonicMs = memory.idleSinceMonotonicMs;
  if (sinceMonotonicMs === null || claims.length > 0 || facts.due.dueCount > 0) return undefined;
  const idleMs = context.monotonicMs - sinceMonotonicMs;
  if (idleMs <= policy.idleTimeoutMs) return undefined;
  return { reason: 'idle', detail: `nothing to do for ${Math.round(idleMs)} ms` };
}

/**
 * Declared timeout of the tool that runs, clamped; 0 without. A runner that declared its heartbeat beats during tools
 * too: its silence is not excused by one.
 */
function toolTimeoutMs({ state, memory, policy }: Look): number {
  if (state === null || state.currentTool === null || memory.heartbeatIntervalMs !== null) return 0;
  return Math.min(state.toolDeclaredTimeoutMs ?? 0, policy.maxToolTimeoutMs);
}

function oldestClaim(look: Look): AckedMessage | undefined {
  return look.claims.reduce<AckedMessage | undefined>(
    (old, claim) => (old === undefined || claimedAtMs(look, claim) < claimedAtMs(look, old) ? claim : old),
    undefined,
  );
}

/** When a claim was made: never before the start, never after its first sighting. */
function claimedAtMs({ memory, context }: Look, claim: AckedMessage): number {
  const seenAtMs = memory.claims.get(claimKey(claim))?.atMs ?? context.nowMs;
  return Math.max(startOf(memory), Math.min(claim.ack.statusChangedMs ?? seenAtMs, seenAtMs));
}

/** Monotonic time for which the host has seen a claim. */
function watchedMs({ memory, context }: Look, claim: AckedMessage): number {
  return context.monotonicMs - (memory.claims.get(claimKey(claim))?.atMonotonicMs ?? context.monotonicMs);
}

function stop({ reason, detail }: { readonly reason: StopReason; readonly detail: string }): Action {
  return { kind: 'stop', reason, detail };
}
