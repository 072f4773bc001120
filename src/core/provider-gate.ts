import type { SessionAddress } from '../protocol/address.js';

/**
 * What is known of a provider that limits us (L18). While it does, one session at a time may try whether it still does: a
 * fleet that is limited at once must not become as many calls.
 */
export interface ProviderGate {
  /** When it said so first. */
  readonly limitedAtMs: number;
  /** The latest time that it asked anybody to wait for. */
  readonly untilMs: number;
  /** No probe before; from `untilMs` on only the one that is under way is waited for. */
  readonly nextProbeAtMs: number;
  /** Who tries now. */
  readonly probe: SessionAddress | null;
  /** Until when it is waited for: a probe whose turn takes longer was not refused at the door. */
  readonly probeUntilMs: number;
}

/** `limited`: others try whether it still does; `untried`: another session asks it first, after a time of silence. */
export type GatePermission =
  | { readonly kind: 'open' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'limited' | 'untried'; readonly untilMs: number };

/** How long others wait for a probe. */
const PROBE_MS = 60_000;
/** With the call that was refused first these are 3 until `untilMs`. */
const PROBES = 2;
/** After so long another session tries, however long one was asked to wait: what one container says holds back all others. */
const CONFIRM_MS = 5 * 60_000;

/** A refusal that `retryAtMs` goes with. The pause between probes counts from the first one, which a probe's own is not. */
export function gateAfterLimit(
  gate: ProviderGate | undefined,
  session: SessionAddress,
  retryAtMs: number,
  nowMs: number,
): ProviderGate {
  const known = gate === undefined || !isInForce(gate, nowMs) || nowMs >= gate.untilMs ? undefined : gate;
  const limitedAtMs = known?.limitedAtMs ?? nowMs;
  const untilMs = Math.max(known?.untilMs ?? 0, retryAtMs);
  const pauseMs = Math.max(PROBE_MS, Math.min(CONFIRM_MS, Math.ceil((untilMs - limitedAtMs) / (PROBES + 1))));
  const isProbe = known?.probe === session;
  return {
    limitedAtMs,
    untilMs,
    nextProbeAtMs: Math.max(known?.nextProbeAtMs ?? 0, nowMs + pauseMs),
    probe: isProbe ? null : (known?.probe ?? null),
    probeUntilMs: isProbe ? 0 : (known?.probeUntilMs ?? 0),
  };
}

/** Whether a session may be woken for this provider. */
export function gatePermission(gate: ProviderGate | undefined, session: SessionAddress, nowMs: number): GatePermission {
  if (gate === undefined || !isInForce(gate, nowMs)) return { kind: 'open' };
  if (gate.probe === session) return { kind: 'probe' };
  if (gate.probe !== null && nowMs < gate.probeUntilMs) return { kind: 'limited', untilMs: gate.probeUntilMs };
  const freeAtMs = Math.min(gate.nextProbeAtMs, gate.untilMs);
  return nowMs >= freeAtMs ? { kind: 'probe' } : { kind: 'limited', untilMs: freeAtMs };
}

/** A session is about to be woken as the probe. */
export function gateAfterProbe(gate: ProviderGate, session: SessionAddress, nowMs: number): ProviderGate {
  const pauseMs = Math.max(PROBE_MS, Math.ceil((gate.untilMs - gate.limitedAtMs) / PROBES));
  return { ...gate, probe: session, probeUntilMs: nowMs + PROBE_MS, nextProbeAtMs: nowMs + pauseMs };
}

/** Whether an answer of a container that was begun then says that the limit is over: since it began only probes were. */
export function opensGate(gate: ProviderGate, begunAtMs: number): boolean {
  return begunAtMs >= gate.limitedAtMs;
}

/** Whether it says nothing any more of a provider that nobody asks. */
export function isGatePast(gate: ProviderGate, nowMs: number): boolean {
  return !isInForce(gate, nowMs) || nowMs >= Math.max(gate.untilMs, gate.probeUntilMs) + PROBE_MS;
}

/** A clock that was set back leaves a gate in the future: it is none. */
function isInForce(gate: ProviderGate, nowMs: number): boolean {
  return gate.limitedAtMs <= nowMs;
}
