import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  gateAfterLimit,
  gateAfterProbe,
  gatePermission,
  isGatePast,
  opensGate,
} from '../../../src/core/provider-gate.js';
import type { ProviderGate } from '../../../src/core/provider-gate.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { DAY, HOUR, MINUTE, NOW, SECOND } from './builders.js';

const one = 'demo/one' as SessionAddress;
const two = 'demo/two' as SessionAddress;
const limited = (retryAtMs: number, atMs = NOW): ProviderGate => gateAfterLimit(undefined, one, retryAtMs, atMs);
const refusedAgain = (retryAtMs: number, atMs: number): ProviderGate =>
  gateAfterLimit(gateAfterProbe(limited(retryAtMs), two, atMs), two, retryAtMs, atMs);

describe('the gate of a provider', () => {
  test.each<[string, () => ProviderGate | undefined, SessionAddress, number, unknown]>([
    ['none: open', () => undefined, two, NOW, { kind: 'open' }],
    [
      'limited for half a minute',
      () => limited(NOW + 30 * SECOND),
      two,
      NOW,
      { kind: 'limited', untilMs: NOW + 30 * SECOND },
    ],
    [
      'whoever was refused waits too',
      () => limited(NOW + 30 * SECOND),
      one,
      NOW,
      { kind: 'limited', untilMs: NOW + 30 * SECOND },
    ],
    [
      'for six minutes: a probe after a third',
      () => limited(NOW + 6 * MINUTE),
      two,
      NOW,
      { kind: 'limited', untilMs: NOW + 2 * MINUTE },
    ],
    [
      'for three hours: whether it is so is tried after five minutes',
      () => limited(NOW + 3 * HOUR),
      two,
      NOW,
      { kind: 'limited', untilMs: NOW + 5 * MINUTE },
    ],
    ['the first probe', () => limited(NOW + 3 * HOUR), two, NOW + 5 * MINUTE, { kind: 'probe' }],
    [
      'it was refused too: the next one in the middle',
      () => refusedAgain(NOW + 3 * HOUR, NOW + 5 * MINUTE),
      one,
      NOW + HOUR,
      { kind: 'limited', untilMs: NOW + 95 * MINUTE },
    ],
    ['the time has come', () => limited(NOW + 30 * SECOND), two, NOW + 30 * SECOND, { kind: 'probe' }],
    ['long after', () => limited(NOW + 30 * SECOND), two, NOW + DAY, { kind: 'probe' }],
    ['a clock that was set back', () => limited(NOW + 3 * HOUR), two, NOW - HOUR, { kind: 'open' }],
  ])('L18: %s', (_, gate, session, nowMs, permission) => {
    expect(gatePermission(gate(), session, nowMs)).toEqual(permission);
  });

  it('L18: while one tries, the others wait for it, a minute at most; the one that tries goes on', () => {
    const atMs = NOW + 30 * SECOND;
    const probing = gateAfterProbe(limited(atMs), one, atMs);
    expect(gatePermission(probing, two, atMs + SECOND)).toEqual({ kind: 'limited', untilMs: atMs + MINUTE });
    expect(gatePermission(probing, one, atMs + SECOND)).toEqual({ kind: 'probe' });
    expect(gatePermission(probing, two, atMs + MINUTE)).toEqual({ kind: 'probe' });
  });

  it('L18: a probe that is refused ends, and the provider is asked again when it says', () => {
    const atMs = NOW + 30 * SECOND;
    const again = gateAfterLimit(gateAfterProbe(limited(atMs), one, atMs), one, atMs + 45 * SECOND, atMs);
    expect(gatePermission(again, two, atMs)).toEqual({ kind: 'limited', untilMs: atMs + 45 * SECOND });
  });

  it('L18: is opened by an answer of whoever began after the limit, not of who ran before', () => {
    const gate = limited(NOW + 30 * SECOND);
    expect(opensGate(gate, NOW - 1)).toBe(false);
    expect(opensGate(gate, NOW)).toBe(true);
  });

  it('L18: a limit within the time of the last one goes on with it; after it, or before it by the clock, it begins anew', () => {
    const gate = gateAfterProbe(limited(NOW + 30 * SECOND), two, NOW + 10 * SECOND);
    expect(gateAfterLimit(gate, one, NOW + 20 * SECOND, NOW + 15 * SECOND)).toEqual({
      ...{ limitedAtMs: NOW, untilMs: NOW + 30 * SECOND, nextProbeAtMs: NOW + 75 * SECOND },
      ...{ probe: two, probeUntilMs: NOW + 70 * SECOND },
    });
    expect(gateAfterLimit(gate, one, NOW + 10 * MINUTE, NOW + 30 * SECOND)).toEqual({
      ...{ limitedAtMs: NOW + 30 * SECOND, untilMs: NOW + 10 * MINUTE, nextProbeAtMs: NOW + 220 * SECOND },
      ...{ probe: null, probeUntilMs: 0 },
    });
    expect(gateAfterLimit(gate, one, NOW, NOW - HOUR)).toMatchObject({
      limitedAtMs: NOW - HOUR,
      untilMs: NOW,
      probe: null,
    });
  });

  it('L18: says nothing any more a minute after its time and its probe', () => {
    const atMs = NOW + 30 * SECOND;
    const gate = limited(atMs);
    expect(isGatePast(gate, atMs + MINUTE - 1)).toBe(false);
    expect(isGatePast(gate, atMs + MINUTE)).toBe(true);
    expect(isGatePast(gateAfterProbe(gate, one, atMs), atMs + MINUTE)).toBe(false);
    expect(isGatePast(gateAfterProbe(gate, one, atMs), atMs + 2 * MINUTE)).toBe(true);
    expect(isGatePast(gate, NOW - 1), 'a clock that was set back').toBe(true);
  });

  it('L18: others that are refused too make it no shorter', () => {
    const gate = gateAfterLimit(limited(NOW + 3 * HOUR), two, NOW + MINUTE, NOW + SECOND);
    expect(gate.untilMs).toBe(NOW + 3 * HOUR);
  });

  it('L18: whatever the time that is asked for, 100 sessions make at most 3 calls before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: SECOND, max: DAY }), fc.integer({ min: 100, max: 5_000 }), (forMs, stepMs) => {
        const untilMs = NOW + forMs;
        let gate = limited(untilMs);
        let calls = 1;
        for (let nowMs = NOW; nowMs < untilMs; nowMs += Math.max(stepMs, forMs / 1_000)) {
          for (let index = 0; index < 100; index += 1) {
            const session = `demo/s${String(index)}` as SessionAddress;
            if (gatePermission(gate, session, nowMs).kind === 'limited') continue;
            calls += 1;
            gate = gateAfterLimit(gateAfterProbe(gate, session, nowMs), session, untilMs, nowMs);
          }
        }
        expect(calls).toBeLessThanOrEqual(3);
        expect(gatePermission(gate, two, untilMs)).toEqual({ kind: 'probe' });
      }),
      { numRuns: 50 },
    );
  });
});
