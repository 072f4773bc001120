import { describe, expect, test } from 'vitest';
import { nextEpoch } from '../../../src/core/epoch.js';

describe('the number of a new incarnation', () => {
  test.each([
    ['the first is 1', { registry: 0 }, 1],
    ['one more than the registry knows', { registry: 4 }, 5],
    ['a restored registry cannot go back behind a label', { registry: 2, labels: [9, 3] }, 10],
    ['acks count', { registry: 2, labels: [], acks: [6, null] }, 7],
    ['an ack exactly 1,000 above counts', { registry: 2, labels: [10], acks: [1_010] }, 1_011],
    ['an ack 1,001 above is a lie', { registry: 2, labels: [10], acks: [1_011] }, 11],
    ['acks do not lift each other', { registry: 0, acks: [1_000, 2_000] }, 1_001],
    [
      'what is no epoch is left aside',
      { registry: 3, labels: [NaN, -1, 4.5, Number.MAX_SAFE_INTEGER], acks: [1.5] },
      4,
    ],
    ['nor does a fraction that an ack names count', { registry: 0, acks: [1.5] }, 1],
    ['the highest of all is none after which another comes', { registry: 0, acks: [Number.MAX_SAFE_INTEGER] }, 1],
  ])('%s', (_, known, expected) => {
    expect(nextEpoch({ acks: [], ...known })).toBe(expected);
  });
});
