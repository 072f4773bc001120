import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planRoom } from '../../../src/core/plan/room.js';
import type { RoomFacts } from '../../../src/core/plan/room.js';
import { splitAddress } from '../../../src/protocol/address.js';
import { addressOf } from './builders.js';

const waits = (address: string, dueSinceMs: number) => {
  const { address: session, group } = splitAddress(addressOf(address));
  return { session, group, dueSinceMs };
};
const idles = (address: string, idleForMs: number) => ({ session: addressOf(address), idleForMs });

function room(over: Partial<RoomFacts>) {
  return planRoom({ waiting: [], running: [], occupied: over.running?.length ?? 0, idle: [], limit: 2, ...over });
}

describe('F28: room', () => {
  test('oldest due first, whatever their order', () => {
    expect(room({ waiting: [waits('a/3', 30), waits('a/1', 10), waits('a/2', 20)] }).start).toEqual(['a/1', 'a/2']);
  });

  test('a tie goes by address', () => {
    expect(room({ waiting: [waits('a/y', 1), waits('a/x', 1)], limit: 1 }).start).toEqual(['a/x']);
  });

  test('a group with fewer places goes first', () => {
    const running = [addressOf('a/1'), addressOf('a/2'), addressOf('b/1')];
    const waiting = [waits('a/3', 1), waits('a/4', 2), waits('b/2', 8), waits('c/1', 9)];
    expect(room({ waiting, running, limit: 6 }).start).toEqual(['c/1', 'b/2', 'a/3']);
  });

  test('a group that floods the queue shares the places with the others', () => {
    const flood = Array.from({ length: 20 }, (_, index) => waits(`a/${index + 10}`, index));
    expect(room({ waiting: [...flood, waits('b/1', 100), waits('b/2', 101)], limit: 4 }).start).toEqual([
      'a/10',
      'b/1',
      'a/11',
      'b/2',
    ]);
  });

  test('places that are starting or not confirmed gone are taken', () => {
    expect(room({ waiting: [waits('a/1', 1)], occupied: 2 }).start).toEqual([]);
  });
});

describe('F37: idle containers give up their places', () => {
  const idle = [idles('b/1', 5), idles('b/2', 9), idles('b/3', 9), idles('b/4', 1)];

  test('longest idle first, only as many as are needed', () => {
    expect(room({ waiting: [waits('a/1', 1), waits('a/2', 2), waits('a/3', 3)], occupied: 1, idle })).toEqual({
      start: ['a/1'],
      yield: ['b/2', 'b/3'],
    });
  });

  test('none, where nobody waits in vain', () => {
    expect(room({ idle, occupied: 4, limit: 2 }).yield).toEqual([]);
    expect(room({ waiting: [waits('a/1', 1)], idle }).yield).toEqual([]);
  });

  test('more of them where the limit was lowered', () => {
    expect(room({ waiting: [waits('a/1', 1)], occupied: 4, idle }).yield).toEqual(['b/2', 'b/3', 'b/1']);
    const two = [waits('a/1', 1), waits('a/2', 2)];
    expect(room({ waiting: two, occupied: 4, idle }).yield).toEqual(['b/2', 'b/3', 'b/1', 'b/4']);
  });
});

test('F28: never more than the limit, nobody twice, nobody passed over while there is room', () => {
  const sessions = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(30)), {
    selector: (pair) => pair.join('/'),
  });
  fc.assert(
    fc.property(sessions, fc.nat(12), fc.nat(12), (pairs, occupied, limit) => {
      const waiting = pairs.map(([group, number]) => waits(`${group}/${number}`, number));
      const { start } = room({ waiting, occupied, limit });
      expect(start.length).toBe(Math.min(waiting.length, Math.max(0, limit - occupied)));
      expect(new Set(start).size).toBe(start.length);
    }),
  );
});
