import type { SessionAddress } from '../protocol/address.js';
import type { GatePermission } from './provider-gate.js';

/**
 * A provider that nothing was heard from lately may limit us: only a call tells. So that sessions which begin at once do
 * not all find out by themselves, one is started first (L18), and the others wait until it was not refused at the door.
 */
export interface ProviderTrial {
  /** Who asks first; null: an answer was heard. */
  readonly first: SessionAddress | null;
  readonly sinceMs: number;
  /** The others wait before. */
  readonly openFromMs: number;
  /** From then on somebody has to ask first anew. */
  readonly openUntilMs: number;
}

/** For a start to succeed; then another session asks first. */
const START_MS = 30_000;
/** From the start of the container: the runner's own, and a refusal, which takes no longer than a call is on its way. */
const REFUSAL_MS = 5_000;
/** What was heard is as good as a new call. */
const HEARD_MS = 60_000;

/** Whether a session may be woken for a provider that does not limit us as far as is known. */
export function trialPermission(
  trial: ProviderTrial | undefined,
  session: SessionAddress,
  nowMs: number,
): GatePermission {
  // A clock that was set back leaves a trial in the future.
  if (trial === undefined || nowMs < trial.sinceMs || nowMs >= trial.openUntilMs) return { kind: 'probe' };
  if (nowMs >= trial.openFromMs) return { kind: 'open' };
  return trial.first === session ? { kind: 'probe' } : { kind: 'untried', untilMs: trial.openFromMs };
}

/** The session is about to be started, and asks first. */
export function trialAtStart(first: SessionAddress, nowMs: number): ProviderTrial {
  return { first, sinceMs: nowMs, openFromMs: nowMs + START_MS, openUntilMs: nowMs + START_MS };
}

/** Whether the session asks first and its container does not run yet. */
export function isStarting(trial: ProviderTrial, session: SessionAddress): boolean {
  return trial.first === session && trial.openFromMs === trial.openUntilMs;
}

/** Its container runs. */
export function trialAfterStart(first: SessionAddress, nowMs: number): ProviderTrial {
  const openFromMs = nowMs + REFUSAL_MS;
  return { first, sinceMs: nowMs, openFromMs, openUntilMs: openFromMs + HEARD_MS };
}

/** A turn ended otherwise than by a limit. */
export function trialAfterTurn(nowMs: number): ProviderTrial {
  return { first: null, sinceMs: nowMs, openFromMs: nowMs, openUntilMs: nowMs + HEARD_MS };
}
