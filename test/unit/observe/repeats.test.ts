import { describe, expect, it } from 'vitest';
import { Repeats } from '../../../src/observe/repeats.js';
import type { LineKey } from '../../../src/observe/repeats.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const trouble = (subject: string): LineKey => ({
  level: 'error',
  isTrouble: true,
  component: 'rounds',
  message: 'failed, tried again later',
  subject,
});
const change = (message: string): LineKey => ({ ...trouble(''), level: 'info', isTrouble: false, message });

/** When lines were written, and how many were told of in all. */
function over(repeats: Repeats, lines: Iterable<readonly [number, LineKey]>) {
  const writtenAtMs: number[] = [];
  let told = 0;
  let said = 0;
  for (const [atMs, line] of lines) {
    said += 1;
    const decision = repeats.decide(line, atMs);
    if (decision.kind === 'leave_out') continue;
    writtenAtMs.push(atMs);
    told += 1 + decision.repeated;
  }
  return { writtenAtMs, told, said };
}

function* every(everyMs: number, untilMs: number, line: (n: number) => LineKey) {
  for (let atMs = 0, n = 0; atMs < untilMs; atMs += everyMs, n += 1) yield [atMs, line(n)] as const;
}

describe('F31: repeats in the log', () => {
  it('writes the same trouble at once, then after 1, 2, 4 .. 60 minutes, and counts the rest', () => {
    const { writtenAtMs } = over(
      new Repeats(),
      every(10 * SECOND, 5 * HOUR, () => trouble('a')),
    );
    const minutes = writtenAtMs.map((atMs) => atMs / MINUTE);
    expect(minutes).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
  });

  it('tells with every line how many were left out before it', () => {
    const repeats = new Repeats();
    const { told, said } = over(
      repeats,
      every(10 * SECOND, HOUR, () => trouble('a')),
    );
    const rest = repeats.takeLeftOut(HOUR + DAY);
    expect(told + (rest[0]?.repeated ?? 0)).toBe(said);
    expect(repeats.takeLeftOut(HOUR + 2 * DAY)).toEqual([]);
  });

  it('writes a trouble that comes back after a quiet time', () => {
    const repeats = new Repeats();
    expect(repeats.decide(trouble('a'), 0).kind).toBe('write');
    expect(repeats.decide(trouble('a'), 30 * SECOND).kind).toBe('leave_out');
    expect(repeats.decide(trouble('a'), 3 * HOUR)).toEqual({ kind: 'write', repeated: 1 });
    expect(repeats.decide(trouble('a'), 3 * HOUR + 61 * SECOND).kind).toBe('write');
  });

  it('does not take another session or another error for a repeat', () => {
    const repeats = new Repeats();
    for (const subject of ['a', 'b', 'c']) expect(repeats.decide(trouble(subject), 0).kind).toBe('write');
  });

  it('bounds 10,000 sessions that fail every 10 s to a line in 10 s', () => {
    const repeats = new Repeats();
    const lines = function* () {
      for (let atMs = 0; atMs < 10 * MINUTE; atMs += 10 * SECOND) {
        for (let n = 0; n < 10_000; n += 1) yield [atMs, trouble(`s${String(n)}`)] as const;
      }
    };
    const { writtenAtMs, told, said } = over(repeats, lines());
    expect(writtenAtMs.length).toBeLessThanOrEqual(50 + 60);
    expect(told + (repeats.takeLeftOut(DAY)[0]?.repeated ?? 0)).toBe(said);
  });

  it('writes changes as they come, and bounds a flood of them', () => {
    const few = over(
      new Repeats(),
      every(SECOND, HOUR, () => change('container started')),
    );
    expect(few.writtenAtMs).toHaveLength(few.said);
    const flood = over(
      new Repeats(),
      every(10, MINUTE, () => change('container started')),
    );
    expect(flood.said).toBe(6_000);
    expect(flood.writtenAtMs.length).toBeLessThanOrEqual(1_000 + 120);
  });

  it('keeps no more than a bounded number of troubles in mind', () => {
    const repeats = new Repeats();
    for (let n = 0; n < 5_000; n += 1) repeats.decide(trouble(`s${String(n)}`), n * 10 * SECOND);
    // Forgotten: news again. The last ones are not.
    expect(repeats.decide(trouble('s1'), 5_000 * 10 * SECOND).kind).toBe('write');
    expect(repeats.decide(trouble('s4999'), 5_000 * 10 * SECOND).kind).toBe('leave_out');
  });
});
