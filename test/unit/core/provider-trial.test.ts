import { describe, expect, it, test } from 'vitest';
import type { GatePermission } from '../../../src/core/provider-gate.js';
import {
  isStarting,
  trialAfterStart,
  trialAfterTurn,
  trialAtStart,
  trialPermission,
} from '../../../src/core/provider-trial.js';
import type { ProviderTrial } from '../../../src/core/provider-trial.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { MINUTE, NOW, SECOND } from './builders.js';

const one = 'demo/one' as SessionAddress;
const two = 'demo/two' as SessionAddress;
const untried = (untilMs: number): GatePermission => ({ kind: 'untried', untilMs });
const probe: GatePermission = { kind: 'probe' };
const open: GatePermission = { kind: 'open' };

describe('a provider that nothing was heard from', () => {
  test.each<[string, () => ProviderTrial | undefined, number, GatePermission]>([
    ['may be asked by anybody', () => undefined, NOW, probe],
    ['is asked by one that starts', () => trialAtStart(one, NOW), NOW, untried(NOW + 30 * SECOND)],
    ['whose start takes too long', () => trialAtStart(one, NOW), NOW + 30 * SECOND, probe],
    ['whose container runs', () => trialAfterStart(one, NOW), NOW + SECOND, untried(NOW + 5 * SECOND)],
    ['and was not refused at the door', () => trialAfterStart(one, NOW), NOW + 5 * SECOND, open],
    ['but is silent for long', () => trialAfterStart(one, NOW), NOW + 65 * SECOND, probe],
    ['a turn ended', () => trialAfterTurn(NOW), NOW, open],
    ['and none since for a minute', () => trialAfterTurn(NOW), NOW + MINUTE, probe],
    ['a clock that was set back', () => trialAfterTurn(NOW), NOW - 1, probe],
  ])('L18: %s', (_, trial, nowMs, permission) => {
    expect(trialPermission(trial(), two, nowMs)).toEqual(permission);
  });

  it('L18: is started for by the one that asks first, until its container runs', () => {
    expect([one, two].map((session) => isStarting(trialAtStart(one, NOW), session))).toEqual([true, false]);
    expect(isStarting(trialAfterStart(one, NOW), one)).toBe(false);
  });

  it('L18: whoever asks first does not wait for itself', () => {
    expect(trialPermission(trialAtStart(one, NOW), one, NOW)).toEqual(probe);
    expect(trialPermission(trialAfterStart(one, NOW), one, NOW)).toEqual(probe);
  });
});
