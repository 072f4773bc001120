import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { MISSED_POLICIES } from '../../../src/protocol/rows.js';
import { epochOf } from '../../../src/protocol/address.js';
import { TestPorter, session } from '../../support/porter.js';
import { inbound, liveRows, rowsOf, sendSeries, workOff } from '../../support/series.js';
import { utc } from '../../support/wall-times.js';

let porter: TestPorter;
afterEach(() => porter.close());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function openAt(text: string): TestPorter {
  porter = new TestPorter();
  porter.clock.jump(utc(text) - porter.clock.now());
  return porter;
}

/** Every row that stands for one: none twice. */
function occurrences(p: TestPorter, text: string): string[] {
  const found = rowsOf(p, text).flatMap(({ occurrence }) => occurrence ?? []);
  expect(new Set(found).size).toBe(found.length);
  return found;
}

describe('F9: whatever ends an occurrence arms the next one, once', () => {
  async function claimed(): Promise<TestPorter> {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    p.ack('g/a', 's', 'processing');
    await p.look('g/a');
    return p;
  }
  const tomorrow = { id: 's@20260116T090000Z', status: 'pending', occurrence: '2026-01-16T09:00:00.000Z' };

  it.each([
    ['completed', {}, 'completed'],
    ['failed', {}, 'failed'],
    ['failed', { errorClass: 'fatal' }, 'failed'],
    ['failed', { errorClass: 'context_overflow' }, 'failed'],
    ['failed', { errorClass: 'resume_invalid' }, 'failed'],
  ])('%s %o', async (status, more, expected) => {
    const p = await claimed();
    p.ack('g/a', 's', status, more);
    await p.look('g/a');
    await p.look('g/a');
    expect(rowsOf(p, 'g/a')).toMatchObject([
      { id: 's', status: expected, recurrence: null },
      { ...tomorrow, recurrence: '0 9 * * *', series_id: 's', tries: 0, attempt: 0 },
    ]);
  });

  it('a turn that never ends: its retries keep one live row, and its dead letter hands on', async () => {
    const p = await claimed();
    for (let turn = 1; turn <= 6; turn += 1) {
      if (turn > 1) p.ack('g/a', 's', 'processing');
      p.runtime.exit(session('g/a'), { exitCode: 1 });
      await p.look('g/a');
      const [row, ...others] = rowsOf(p, 'g/a');
      if (turn === 6) break;
      expect(others).toEqual([]);
      expect(row).toMatchObject({ tries: turn, occurrence: '2026-01-15T09:00:00.000Z' });
      await p.pass(Date.parse(row?.process_after ?? '') - p.clock.now());
      await p.round();
      expect(p.running()).toEqual(['g/a']);
    }
    expect(rowsOf(p, 'g/a')).toMatchObject([{ status: 'failed', recurrence: null, tries: 5 }, tomorrow]);
    expect(p.notices()).toContain('dead_letter g/a');
  });

  it('a retryable failure and a rate limit end nothing', async () => {
    const p = await claimed();
    for (const errorClass of ['retryable', 'rate_limited']) {
      p.ack('g/a', 's', 'failed', { errorClass });
      await p.look('g/a');
      expect(liveRows(p, 'g/a')).toMatchObject([{ id: 's', occurrence: '2026-01-15T09:00:00.000Z' }]);
    }
  });

  it('a rate limit does not cost a series that skips its occurrence', async () => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', missed: 'skip' });
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    p.write(
      'g/a',
      `INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation, error_class, retry_at)
       VALUES ('s', 'failed', '2026-01-15T09:00:00.000Z', 0, 1, 'rate_limited', '2026-01-15T10:00:00Z')`,
    );
    await p.look('g/a');
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    await p.pass(HOUR);
    await p.round();
    expect(liveRows(p, 'g/a')).toMatchObject([{ id: 's', occurrence: '2026-01-15T09:00:00.000Z' }]);
    expect(p.running()).toEqual(['g/a']);
  });

  it('a turn that the host ended does not cost a series that skips its occurrence', async () => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', missed: 'skip' });
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    p.ack('g/a', 's', 'processing');
    await p.look('g/a');
    await p.pass(20 * MINUTE);
    p.registry.markStopping(session('g/a'), epochOf(p.epoch('g/a')), 'drained');
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    expect(liveRows(p, 'g/a')).toMatchObject([{ id: 's', occurrence: '2026-01-15T09:00:00.000Z', tries: 0 }]);
    expect(p.running()).toEqual(['g/a']);
  });

  it('a corrupt file that takes the last try hands on too', async () => {
    const p = await claimed();
    inbound(p, 'g/a', "UPDATE messages_in SET tries = 5 WHERE id = 's'");
    p.runtime.exit(session('g/a'));
    rmSync(p.paths('g/a').outbound);
    writeFileSync(p.paths('g/a').outbound, 'not a database, and longer than a header of a hundred bytes '.repeat(20));
    for (let look = 0; look < 5; look += 1) await p.look('g/a');
    expect(p.notices()).toContain('replaced_corrupt_file g/a');
    expect(p.notices()).toContain('dead_letter g/a');
    expect(rowsOf(p, 'g/a')).toMatchObject([{ id: 's', status: 'failed', recurrence: null }, tomorrow]);
  });

  it('a run that is longer than its interval is followed by one, not by all that it covered', async () => {
    const p = openAt('2026-01-15 08:59:30');
    for (const policy of MISSED_POLICIES) sendSeries(p, `g/${policy}`, 's', { cron: '* * * * *', missed: policy });
    await p.round();
    await p.pass(MINUTE / 2);
    await p.round();
    for (const policy of MISSED_POLICIES) {
      p.ack(`g/${policy}`, 's', 'processing');
      await p.look(`g/${policy}`);
    }
    await p.pass(5 * MINUTE + 1_000);
    for (const policy of MISSED_POLICIES) {
      p.ack(`g/${policy}`, 's', 'completed');
      await p.look(`g/${policy}`);
    }
    const minutes = (...list: number[]): string[] => list.map((minute) => `2026-01-15T09:0${String(minute)}:00.000Z`);
    expect(occurrences(p, 'g/latest')).toEqual(minutes(0, 5));
    expect(occurrences(p, 'g/skip')).toEqual(minutes(0, 6));
    expect(occurrences(p, 'g/all')).toEqual(minutes(0, 1, 2, 3, 4, 5, 6));
    for (const policy of MISSED_POLICIES) expect(liveRows(p, `g/${policy}`)).toHaveLength(1);
  });
});

describe('F11: a series that is paused while its turn runs', () => {
  it.each(MISSED_POLICIES)('stays paused, and runs nothing more: %s', async (missed) => {
    const p = openAt('2026-01-15 08:59:30');
    sendSeries(p, 'g/a', 's', { cron: '* * * * *', missed });
    await p.round();
    await p.pass(MINUTE / 2);
    await p.round();
    p.ack('g/a', 's', 'processing');
    await p.look('g/a');
    inbound(p, 'g/a', "UPDATE messages_in SET status = 'paused' WHERE id = 's'");
    await p.pass(3 * MINUTE);
    p.ack('g/a', 's', 'completed');
    await p.look('g/a');
    expect(rowsOf(p, 'g/a')[0]).toMatchObject({ id: 's', status: 'completed', recurrence: null });
    expect(rowsOf(p, 'g/a').slice(1)).toMatchObject([{ status: 'paused', recurrence: '* * * * *' }]);
    expect(await workOff(p, 'g/a')).toEqual([]);
    await p.pass(10 * MINUTE);
    await p.round();
    expect(p.running()).toEqual([]);
    // Resumed it goes on by its policy.
    inbound(p, 'g/a', "UPDATE messages_in SET status = 'pending' WHERE status = 'paused'");
    p.registry.lowerNextDue(session('g/a'), p.clock.now());
    await p.round();
    const at = (minute: number): string => `2026-01-15T09:${String(minute).padStart(2, '0')}:00.000Z`;
    expect(await workOff(p, 'g/a')).toEqual(
      { latest: [at(13)], skip: [], all: Array.from({ length: 13 }, (_, index) => at(index + 1)) }[missed],
    );
    expect(liveRows(p, 'g/a')).toMatchObject([{ occurrence: at(14), status: 'pending' }]);
  });

  it.each(['completed', 'failed'])('takes its real status, its successor is paused: %s', async (status) => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    p.ack('g/a', 's', 'processing');
    await p.look('g/a');
    inbound(p, 'g/a', "UPDATE messages_in SET status = 'paused' WHERE id = 's'");
    p.ack('g/a', 's', status);
    await p.look('g/a');
    expect(rowsOf(p, 'g/a')).toMatchObject([{ status }, { status: 'paused', occurrence: '2026-01-16T09:00:00.000Z' }]);
  });

  it('stays paused when its container dies', async () => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    p.ack('g/a', 's', 'processing');
    await p.look('g/a');
    inbound(p, 'g/a', "UPDATE messages_in SET status = 'paused' WHERE id = 's'");
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    await p.pass(HOUR);
    await p.round();
    expect(rowsOf(p, 'g/a')).toMatchObject([{ id: 's', status: 'paused', tries: 1 }]);
    expect(p.running()).toEqual([]);
  });
});

describe('F12: a schedule that cannot be read, found in a file', () => {
  it.each([
    ['its expression', "recurrence = 'H * * * *'"],
    ['an empty one', "recurrence = ''"],
    ['a day that never comes', "recurrence = '0 0 30 2 *'"],
    ['its zone', "timezone = 'Mars/Olympus'"],
  ])('%s: retired once, with one notice, and still run', async (_what, set) => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    inbound(p, 'g/a', `UPDATE messages_in SET ${set}`);
    await p.pass(MINUTE);
    const told: number[] = [];
    for (let look = 0; look < 3; look += 1) {
      await p.round();
      told.push(p.notices().filter((notice) => notice === 'series_retired g/a').length);
    }
    expect(told).toEqual([1, 1, 1]);
    expect(liveRows(p, 'g/a')).toEqual([]);
    expect(p.running()).toEqual(['g/a']);
    expect(await workOff(p, 'g/a')).toEqual(['2026-01-15T09:00:00.000Z']);
    expect(rowsOf(p, 'g/a')).toMatchObject([{ status: 'completed', recurrence: null }]);
  });

  it('wakes its session in the look that retires it', async () => {
    const p = openAt('2026-01-15 08:59');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    inbound(p, 'g/a', "UPDATE messages_in SET recurrence = '@daily'");
    await p.pass(MINUTE);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
  });

  it('in a running container: it ends with its row', async () => {
    const p = openAt('2026-01-15 08:59');
    p.send('g/a', 'other');
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    inbound(p, 'g/a', "UPDATE messages_in SET recurrence = 'nonsense' WHERE id = 's'");
    await p.pass(MINUTE);
    await p.round();
    p.ack('g/a', 's', 'completed');
    await p.look('g/a');
    expect(rowsOf(p, 'g/a').find(({ id }) => id === 's')).toMatchObject({ status: 'completed', recurrence: null });
    expect(p.notices()).toContain('series_retired g/a');
  });
});

describe('a claim while an occurrence is moved', () => {
  /** Hours late, no container: the host is about to move it, and has just asked the runtime for the last time. */
  async function aboutToMove(
    missed: 'latest' | 'skip',
  ): Promise<{ readonly p: TestPorter; readonly release: () => Promise<void> }> {
    const p = openAt('2026-01-15 08:50');
    p.send('g/a', 'before');
    sendSeries(p, 'g/a', 's', { cron: '0 * * * *', missed });
    await p.round();
    await workOff(p, 'g/a');
    p.clock.jump(3 * HOUR);
    const answered = p.runtime.hang('inspect');
    const asked = p.runtime.calls.length;
    const round = p.round();
    await p.until('the runtime is asked', () => p.runtime.calls.slice(asked).some(({ call }) => call === 'inspect'));
    return {
      p,
      release: async () => {
        answered();
        await round;
      },
    };
  }
  const nine = '2026-01-15T09:00:00.000Z';

  it.each(['latest', 'skip'] as const)('is seen: %s, the container still there', async (missed) => {
    const { p, release } = await aboutToMove(missed);
    const [before] = p.runtime.started;
    if (before === undefined) throw new Error('no container was started before');
    p.runtime.plant(before.spec);
    p.ack('g/a', 's', 'processing');
    await release();
    expect(liveRows(p, 'g/a')).toMatchObject([{ id: 's', occurrence: nine, tries: 0 }]);
    p.ack('g/a', 's', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 's')).toMatchObject({ status: 'completed', occurrence: nine });
    expect(liveRows(p, 'g/a')).toHaveLength(1);
  });

  it.each(['latest', 'skip'] as const)('is settled: %s, the container gone again', async (missed) => {
    const { p, release } = await aboutToMove(missed);
    p.ack('g/a', 's', 'processing');
    await release();
    expect(liveRows(p, 'g/a')).toMatchObject([{ id: 's', occurrence: nine, tries: 1, attempt: 1 }]);
  });

  it.each(['latest', 'skip'] as const)(
    'and its end: %s, the occurrence that ended is the one that ran',
    async (missed) => {
      const { p, release } = await aboutToMove(missed);
      p.ack('g/a', 's', 'completed');
      await release();
      await p.look('g/a');
      expect(p.message('g/a', 's')).toMatchObject({ status: 'completed', occurrence: nine });
      expect(liveRows(p, 'g/a')).toHaveLength(1);
    },
  );
});
