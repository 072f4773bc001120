import { expect, it } from 'vitest';
import { LoopTurns } from '../../../src/protocol/loop-turns.js';

it('gives each caller a turn of the event loop of its own, in the order in which they asked', async () => {
  const turns = new LoopTurns();
  const seen: string[] = [];
  let turn = 0;
  const count = setImmediate(function next() {
    turn += 1;
    counting = setImmediate(next);
  });
  let counting = count;

  await Promise.all(['a', 'b', 'c'].map((who) => turns.next().then(() => seen.push(`${who}${String(turn)}`))));
  clearImmediate(counting);

  expect(seen.map((one) => one[0])).toEqual(['a', 'b', 'c']);
  expect(new Set(seen.map((one) => one.slice(1))).size).toBe(3);
});
