import { describe, expect, test } from 'vitest';
import { findDuplicates } from '../../../src/core/duplicates.js';
import type { GivenAnswer } from '../../../src/core/duplicates.js';
import { NOW, SECOND } from './builders.js';

const said = (id: string, timestampMs: number | null, digest = 'same', inReplyTo = 'm1'): GivenAnswer => ({
  ...{ id, inReplyTo, timestampMs, digest },
});
const first = said('a1', NOW);
/** The attempts at every message ended at these times. */
const duplicates = (answers: readonly GivenAnswer[], ...endsMs: readonly number[]) => [
  ...findDuplicates(answers, (message) => (message === 'm1' ? endsMs : [])),
];

describe('an answer that equals an earlier one', () => {
  test.each<[string, GivenAnswer, readonly number[], boolean]>([
    ['of an attempt that had ended', said('a2', NOW + 10 * SECOND), [NOW + SECOND], true],
    ['of the same attempt', said('a2', NOW + 10 * SECOND), [NOW - SECOND, NOW + 20 * SECOND], false],
    ['where no attempt is known to have ended', said('a2', NOW + 10 * SECOND), [], false],
    ['but says something else', said('a2', NOW + 10 * SECOND, 'other'), [NOW + SECOND], false],
    ['but to another message', said('a2', NOW + 10 * SECOND, 'same', 'm2'), [NOW + SECOND], false],
    ['at a time that is none', said('a2', null), [NOW + SECOND], false],
    ['the attempt ended as it was written', said('a2', NOW + 10 * SECOND), [NOW], true],
    ['written to the millisecond before the attempt ended', said('a2', NOW + 1_001), [NOW + 1_999], false],
    ['written to the millisecond as the attempt ended', said('a2', NOW + 1_001), [NOW + 1_001], false],
    ['written to the millisecond after the attempt ended', said('a2', NOW + 1_002), [NOW + 1_001], true],
    ['written at the very time of the first', said('a2', NOW), [NOW], false],
    ['written in whole seconds', said('a2', NOW + SECOND), [NOW + 1_999], true],
    ['written before the attempt ended', said('a2', NOW + SECOND), [NOW + 2_000], false],
  ])('L25: %s', (_, later, endsMs, isDuplicate) => {
    expect(duplicates([first, later], ...endsMs)).toEqual(isDuplicate ? ['a2'] : []);
  });

  test('L25: every later one is a duplicate, the first is not', () => {
    const again = [said('a2', NOW + 5 * SECOND), said('a3', NOW + 9 * SECOND)];
    expect(duplicates([said('a0', null), first, ...again], NOW + SECOND)).toEqual(['a2', 'a3']);
    expect(duplicates([said('a0', null), ...again], NOW + SECOND), 'the one before is of no time').toEqual([]);
  });
});
