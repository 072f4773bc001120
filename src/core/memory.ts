import { isAckOfAttempt, type ContainerStateRow } from '../protocol/rows.js';
import { claimKey, heldClaims } from './claims.js';
import type { Incarnation } from './claims.js';
import type { FilesFacts } from './facts.js';

/** A value that the host watches: when it saw it change, and its first sighting. */
export interface Sighting<T extends number | null = number | null> {
  /** As found; null: none. */
  readonly valueMs: T;
  /** Wall clock at which the host first saw this value: a future value counts as of then. Never in the future itself. */
  readonly seenAtMs: number;
  /** Monotonic time of the last change that the host saw, or of its first look. */
  readonly changedAtMonotonicMs: number;
}

export interface FirstSeen {
  /** Wall clock; never in the future, whatever the clock did since. */
  readonly atMs: number;
  readonly atMonotonicMs: number;
}

/** What the host remembers of one running incarnation between looks. */
export interface RunningMemory {
  readonly epoch: number;
  /** Its confirmed start. */
  readonly start: Sighting<number>;
  readonly heartbeat: Sighting;
  readonly progress: Sighting;
  readonly toolStart: Sighting;
  /** Interval at which this incarnation says that it beats; null: it says nothing. */
  readonly heartbeatIntervalMs: number | null;
  /** First sighting of each claim that it holds, by `claimKey`. */
  readonly claims: ReadonlyMap<string, FirstSeen>;
  /** First sighting of each turn of an unfinished message, ended ones included, by `claimKey`. */
  readonly begun: ReadonlyMap<string, FirstSeen>;
  /** Grows with every turn that ended: between two looks it may have claimed and ended one. */
  readonly turnsEnded: number;
  /** Monotonic time since which it has neither a claim nor due work; null: it has. */
  readonly idleSinceMonotonicMs: number | null;
  /** Monotonic time since which work is due and it holds no claim; null: it is not so. */
  readonly unclaimedSinceMonotonicMs: number | null;
}

/** Adds a look to what is remembered; a new incarnation starts with an empty memory. */
export function noteLook(
  previous: RunningMemory | undefined,
  facts: FilesFacts,
  running: Incarnation,
  nowMs: number,
  monotonicMs: number,
): RunningMemory {
  const known = previous?.epoch === running.epoch ? previous : undefined;
  const now = { nowMs, monotonicMs };
  const start = sight(known?.start, running.startedAtMs, now);
  const startedAtMs = Math.min(running.startedAtMs, start.seenAtMs);
  const state = stateOf(facts, running.epoch);
  const held = heldClaims(facts, { epoch: running.epoch, startedAtMs });
  const turnsEnded = countEnded(facts);
  const sinceMs = (is: boolean, beforeMs: number | null | undefined): number | null => {
    if (!is) return null;
    return known?.turnsEnded === turnsEnded ? (beforeMs ?? monotonicMs) : monotonicMs;
  };
  const isFree = held.length === 0;
  return {
    epoch: running.epoch,
    start,
    heartbeat: sight(known?.heartbeat, facts.heartbeatMtimeMs, now),
    progress: sight(known?.progress, state?.progressAtMs ?? null, now),
    toolStart: sight(known?.toolStart, toolStartMs(state), now),
    heartbeatIntervalMs: declaredIntervalMs(state),
    claims: new Map(held.map((claim) => [claimKey(claim), firstSeen(known?.claims.get(claimKey(claim)), now)])),
    begun: new Map(
      facts.acked
        .filter(({ message, ack }) => isAckOfAttempt(message, ack))
        .map((acked) => [claimKey(acked), firstSeen(known?.begun.get(claimKey(acked)), now)]),
    ),
    turnsEnded,
    idleSinceMonotonicMs: sinceMs(isFree && facts.due.dueCount === 0, known?.idleSinceMonotonicMs),
    unclaimedSinceMonotonicMs: sinceMs(isFree && facts.due.dueCount > 0, known?.unclaimedSinceMonotonicMs),
  };
}

/** When a watched value was, a future one as of its first sighting; null: there is none. */
export function instantOf(sighting: Sighting): number | null {
  return sighting.valueMs === null ? null : Math.min(sighting.valueMs, sighting.seenAtMs);
}

/** Monotonic time for which the host saw no change of a value. */
export function unchangedForMs(sighting: Sighting, monotonicMs: number): number {
  return monotonicMs - sighting.changedAtMonotonicMs;
}

/** When the incarnation started, never in the future. */
export function startOf(memory: RunningMemory): number {
  return Math.min(memory.start.valueMs, memory.start.seenAtMs);
}

/** Wall age of the last heartbeat; without one of its own, since the start. Never negative. */
export function livenessAgeMs(memory: RunningMemory, nowMs: number): number {
  const startedAtMs = startOf(memory);
  return Math.max(0, nowMs - Math.max(startedAtMs, instantOf(memory.heartbeat) ?? startedAtMs));
}

/** `container_state` where it is this incarnation's; null: there is none, or an older one wrote it. */
export function stateOf(facts: FilesFacts, epoch: number): ContainerStateRow | null {
  const state = facts.containerState;
  if (state === null) return null;
  // It is removed before each start: one that names no incarnation is of the one that runs.
  return state.incarnation === null || state.incarnation === epoch ? state : null;
}

interface Now {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

function sight<T extends number | null>(
  known: Sighting<T> | undefined,
  valueMs: T,
  { nowMs, monotonicMs }: Now,
): Sighting<T> {
  if (known?.valueMs !== valueMs) return { valueMs, seenAtMs: nowMs, changedAtMonotonicMs: monotonicMs };
  // A clock that was set back must not leave a sighting in the future: it would exempt until then.
  return { ...known, seenAtMs: Math.min(known.seenAtMs, nowMs) };
}

function firstSeen(known: FirstSeen | undefined, { nowMs, monotonicMs }: Now): FirstSeen {
  if (known === undefined) return { atMs: nowMs, atMonotonicMs: monotonicMs };
  return { ...known, atMs: Math.min(known.atMs, nowMs) };
}

function toolStartMs(state: ContainerStateRow | null): number | null {
  if (state === null || state.currentTool === null) return null;
  return state.toolStartedAtMs ?? state.updatedAtMs;
}

function declaredIntervalMs(state: ContainerStateRow | null): number | null {
  const intervalMs = state?.heartbeatIntervalMs ?? 0;
  return intervalMs > 0 ? intervalMs : null;
}

/** Each costs the container a message, a try or a deferral: nothing that it could go on inventing. */
function countEnded(facts: FilesFacts): number {
  const unsynced = facts.acked.filter(({ ack }) => ack.status !== 'processing').length;
  return facts.counts.completed + facts.counts.failed + unsynced;
}
