import { describe, expect, test } from 'vitest';
import { stalenessWaits } from '../../../src/core/plan/fleet.js';
import { HOUR, MINUTE, POLICY, SECOND } from './builders.js';

describe('F34: whether stops for staleness wait this round', () => {
  const calm = { running: 10, stale: 0, roundLateMs: 0, wallJumpMs: 0 };

  test.each([
    ['nothing is the matter', {}, null],
    ['two of two are stale', { running: 2, stale: 2 }, null],
    ['three of three are stale', { running: 3, stale: 3 }, 'mass_stale'],
    ['exactly half are stale', { running: 10, stale: 5 }, null],
    ['more than half are stale', { running: 10, stale: 6 }, 'mass_stale'],
    ['more than half of an odd number are stale', { running: 7, stale: 4 }, 'mass_stale'],
    ['the round is exactly two intervals late', { roundLateMs: 2 * MINUTE }, null],
    ['the round is later than two intervals', { roundLateMs: 2 * MINUTE + 1 }, 'late_round'],
    ['the clock jumped by exactly 5 s', { wallJumpMs: 5 * SECOND }, null],
    ['the clock jumped an hour ahead', { wallJumpMs: HOUR }, 'clock_jump'],
    ['the clock was set back', { wallJumpMs: -5 * SECOND - 1 }, 'clock_jump'],
    ['everything at once', { stale: 10, roundLateMs: HOUR, wallJumpMs: HOUR }, 'clock_jump'],
  ])('%s', (_, over, expected) => {
    expect(stalenessWaits({ ...calm, ...over }, POLICY)).toBe(expected);
  });
});
