import { policyFor } from '../../src/config/policy.js';
import type { GroupName } from '../../src/protocol/address.js';
import type { Beat, SimContainer } from './container.js';
import type { World } from './world.js';
import { BUSY_TURN_MS } from './world.js';

/**
 * Between the last reading of a session's files and the stop that follows from it: the answer of a file worker, at most,
 * and a turn of the loop.
 */
const READ_TO_STOP_MS = 2_000;

function readToStopMs({ timeline, isHostBusy, hostBusyMs }: World): number {
  const isBusy = isHostBusy || timeline.monotonicMs - hostBusyMs < BUSY_TURN_MS + READ_TO_STOP_MS;
  return isBusy ? READ_TO_STOP_MS + BUSY_TURN_MS : READ_TO_STOP_MS;
}
const LEAST_DECLARED_MS = 60_000;

/** Whether a stop is right by what the container really did; null: it is. The rules are those of ARCHITECTURE.md. */
export function judgeStop(world: World, container: SimContainer, reason: string): string | null {
  const { timeline, settings } = world;
  const slackMs = readToStopMs(world);
  const policy = policyFor(settings, container.session.split('/')[0] as GroupName, null);
  const { monotonicMs, wallMs } = lastReadable(world, container.beats);
  const beat = ages(world, monotonicMs, wallMs);
  const start = ages(world, container.startedMonotonicMs, container.startedWallMs);
  const claims = [...container.claims.values()].map((claim) => ages(world, claim.atMonotonicMs, claim.atWallMs));
  const heldMs = Math.max(-1, ...claims.map(({ mostMs }) => mostMs));
  const isJudged = ['stale_and_stuck', 'ceiling', 'not_claiming', 'no_progress', 'idle'].includes(reason);
  if (isJudged && start.mostMs + slackMs < policy.startGraceMs) return 'it has just been started';
  const silentFor = (limitMs: number): boolean => {
    const watchedMs = Math.min(limitMs, 2 * policy.sweepIntervalMs);
    return beat.mostMs + slackMs > limitMs && beat.monotonicMs + slackMs > watchedMs;
  };
  switch (reason) {
    case 'stale_and_stuck': {
      if (!silentFor(silenceLimitMs(container, policy.staleThresholdMs)))
        return `its heart beat ${String(beat.mostMs)} ms ago`;
      if (heldMs < 0) return 'it holds no claim';
      if (heldMs + slackMs < policy.claimStuckMs) return `its claim is ${String(heldMs)} ms old`;
      return toolExcuses(world, container, policy.maxToolTimeoutMs) ? 'its tool may still run' : null;
    }
    case 'ceiling':
      return silentFor(policy.absoluteCeilingMs) ? null : `its heart beat ${String(beat.mostMs)} ms ago`;
    case 'not_claiming':
      if (isHeldBeforeReading(claims, slackMs)) return 'it holds a claim';
      return start.monotonicMs + slackMs < policy.notClaimingMs ? 'it has just been started' : null;
    case 'no_progress': {
      const sinceMs = timeline.monotonicMs - container.progressMonotonicMs;
      return sinceMs + slackMs < policy.noProgressMs ? `it made progress ${String(sinceMs)} ms ago` : null;
    }
    case 'locked': {
      const lockedMs = timeline.monotonicMs - (world.readableMs.get(container.session) ?? 0);
      return lockedMs + slackMs < policy.lockedStopMs ? `its files could be read ${String(lockedMs)} ms ago` : null;
    }
    case 'idle':
    case 'yielded':
    case 'recycled':
    case 'drained':
    case 'replaced':
    case 'suspended':
    case 'closed':
      return isHeldBeforeReading(claims, slackMs) ? 'it holds a claim' : null;
    default:
      return null;
  }
}

/** How long a container may be silent: our own runner declares its interval. */
export function silenceLimitMs(container: SimContainer, mostMs: number): number {
  const declaredMs = Math.min(Math.max(6 * container.heartbeatMs, LEAST_DECLARED_MS), mostMs);
  return container.isForeign ? mostMs : declaredMs;
}

/** The last beat that was there before the last reading. */
function lastReadable(world: World, beats: readonly Beat[]): Beat {
  const { timeline } = world;
  const slackMs = readToStopMs(world);
  const readable = beats.filter(({ monotonicMs }) => timeline.monotonicMs - monotonicMs > slackMs);
  const found = readable.at(-1) ?? beats[0];
  if (found === undefined) throw new Error('a container begins with its start');
  return found;
}

interface Ages {
  readonly monotonicMs: number;
  /** By the clock that says more: the wall clock may have been set. */
  readonly mostMs: number;
}

function ages({ timeline }: World, sinceMonotonicMs: number, sinceWallMs: number): Ages {
  const monotonicMs = timeline.monotonicMs - sinceMonotonicMs;
  return { monotonicMs, mostMs: Math.max(monotonicMs, timeline.wallMs - sinceWallMs) };
}

function isHeldBeforeReading(claims: readonly Ages[], slackMs: number): boolean {
  return claims.some(({ monotonicMs }) => monotonicMs > slackMs);
}

/** A runner that declared its heartbeat beats during tools: its silence is not excused by one. */
function toolExcuses(world: World, { isForeign, tool }: SimContainer, mostMs: number): boolean {
  const slackMs = readToStopMs(world);
  if (!isForeign || tool === null) return false;
  const { mostMs: runsMs } = ages(world, tool.sinceMonotonicMs, tool.sinceWallMs);
  return runsMs + slackMs < Math.min(tool.timeoutMs, mostMs);
}
