import { afterEach, describe, expect, it } from 'vitest';
import { MISSED_POLICIES } from '../../../src/protocol/rows.js';
import { TestPorter } from '../../support/porter.js';
import { claimable, liveRows, rowsOf, sendSeries, workOff } from '../../support/series.js';
import { shown, utc } from '../../support/wall-times.js';

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

describe('F33: several days around a change of the clocks, the daemon off from the day before to the day after', () => {
  const cases = [
    {
      zone: 'Europe/Berlin',
      cron: '30 2 * * *',
      from: '2026-03-26 12:00',
      off: '2026-03-28 11:00',
      on: '2026-03-30 11:00',
      until: '2026-04-01 11:00',
      before: ['Fri 02:30 +1', 'Sat 02:30 +1'],
      missed: ['Sun 03:30 +2', 'Mon 02:30 +2'],
      after: ['Tue 02:30 +2', 'Wed 02:30 +2'],
    },
    {
      zone: 'Europe/Berlin',
      cron: '30 2 * * *',
      from: '2026-10-22 12:00',
      off: '2026-10-24 11:00',
      on: '2026-10-26 11:00',
      until: '2026-10-28 11:00',
      before: ['Fri 02:30 +2', 'Sat 02:30 +2'],
      missed: ['Sun 02:30 +2', 'Mon 02:30 +1'],
      after: ['Tue 02:30 +1', 'Wed 02:30 +1'],
    },
    {
      zone: 'America/New_York',
      cron: '30 2 * * *',
      from: '2026-03-05 18:00',
      off: '2026-03-07 18:00',
      on: '2026-03-09 18:00',
      until: '2026-03-11 18:00',
      before: ['Fri 02:30 -5', 'Sat 02:30 -5'],
      missed: ['Sun 03:30 -4', 'Mon 02:30 -4'],
      after: ['Tue 02:30 -4', 'Wed 02:30 -4'],
    },
    {
      zone: 'America/New_York',
      cron: '30 1 * * *',
      from: '2026-10-29 18:00',
      off: '2026-10-31 18:00',
      on: '2026-11-02 18:00',
      until: '2026-11-04 18:00',
      before: ['Fri 01:30 -4', 'Sat 01:30 -4'],
      missed: ['Sun 01:30 -4', 'Mon 01:30 -5'],
      after: ['Tue 01:30 -5', 'Wed 01:30 -5'],
    },
    {
      zone: 'Australia/Lord_Howe',
      cron: '15 2 * * *',
      from: '2026-10-01 02:00',
      off: '2026-10-03 02:00',
      on: '2026-10-05 02:00',
      until: '2026-10-07 02:00',
      before: ['Fri 02:15 +10:30', 'Sat 02:15 +10:30'],
      missed: ['Sun 02:45 +11', 'Mon 02:15 +11'],
      after: ['Tue 02:15 +11', 'Wed 02:15 +11'],
    },
    {
      zone: 'Australia/Lord_Howe',
      cron: '45 1 * * *',
      from: '2026-04-02 02:00',
      off: '2026-04-04 02:00',
      on: '2026-04-06 02:00',
      until: '2026-04-08 02:00',
      before: ['Fri 01:45 +11', 'Sat 01:45 +11'],
      missed: ['Sun 01:45 +11', 'Mon 01:45 +10:30'],
      after: ['Tue 01:45 +10:30', 'Wed 01:45 +10:30'],
    },
  ];

  it.each(cases)('$cron in $zone, $missed', async ({ zone, cron, from, off, on, until, before, missed, after }) => {
    const p = openAt(from);
    const fired = new Map<string, string[]>(MISSED_POLICIES.map((policy) => [policy, []]));
    for (const policy of MISSED_POLICIES) sendSeries(p, `g/${policy}`, 's', { cron, zone, missed: policy });
    const runUntil = async (untilMs: number): Promise<void> => {
      for (;;) {
        await p.round();
        for (const policy of MISSED_POLICIES) {
          const done = await workOff(p, `g/${policy}`);
          fired.get(policy)?.push(...done.map((occurrence) => shown(Date.parse(occurrence), zone)));
          expect(liveRows(p, `g/${policy}`)).toHaveLength(1);
        }
        const next = Math.min(
          ...MISSED_POLICIES.map((policy) => Date.parse(liveRows(p, `g/${policy}`)[0]?.process_after ?? '')),
        );
        const nextMs = Math.min(next, untilMs);
        await p.pass(nextMs - p.clock.now());
        if (next >= untilMs) return;
      }
    };
    await runUntil(utc(off));
    p.clock.jump(utc(on) - utc(off));
    await p.restart();
    await runUntil(utc(until));
    expect(Object.fromEntries(fired)).toEqual({
      latest: [...before, ...missed.slice(-1), ...after],
      skip: [...before, ...after],
      all: [...before, ...missed, ...after],
    });
    for (const policy of MISSED_POLICIES) occurrences(p, `g/${policy}`);
    expect(p.notices().filter((notice) => notice.includes(' g/'))).toEqual([]);
  });
});

describe('F34: a night asleep', () => {
  /** Every quarter of an hour; its first turn is over before the night. */
  async function evening(): Promise<TestPorter> {
    const p = openAt('2026-01-15 21:50');
    for (const policy of MISSED_POLICIES) {
      sendSeries(p, `g/${policy}`, 's', { cron: '*/15 * * * *', missed: policy });
    }
    await p.round();
    await p.pass(10 * MINUTE);
    return p;
  }
  const done = (p: TestPorter) =>
    Promise.all(MISSED_POLICIES.map(async (policy) => [policy, await workOff(p, `g/${policy}`)] as const)).then(
      (pairs) => Object.fromEntries(pairs),
    );
  const tenPast = '2026-01-16T06:00:00.000Z';
  const everyQuarterToSix = (): string[] =>
    Array.from({ length: 24 }, (_, index) =>
      new Date(utc('2026-01-16 06:00') - (23 - index) * 15 * MINUTE).toISOString(),
    );

  it('of the host, no container running', async () => {
    const p = await evening();
    const first = '2026-01-15T22:00:00.000Z';
    expect(await done(p)).toEqual({ latest: [first], skip: [first], all: [first] });
    p.clock.jump(8 * HOUR + 10 * MINUTE);
    await p.round();
    expect(await done(p)).toEqual({
      latest: [tenPast],
      skip: [],
      // The one that was due, and then the last 24 of those that were missed.
      all: ['2026-01-15T22:15:00.000Z', ...everyQuarterToSix()],
    });
    await p.round();
    expect(p.running()).toEqual([]);
    for (const policy of MISSED_POLICIES) {
      expect(liveRows(p, `g/${policy}`)).toMatchObject([{ process_after: '2026-01-16T06:15:00.000Z' }]);
      occurrences(p, `g/${policy}`);
    }
  });

  it('of a daemon that is off and started again', async () => {
    const p = await evening();
    await done(p);
    p.clock.jump(8 * HOUR + 10 * MINUTE);
    await p.restart();
    await p.round();
    expect(await done(p)).toEqual({
      latest: [tenPast],
      skip: [],
      all: ['2026-01-15T22:15:00.000Z', ...everyQuarterToSix()],
    });
  });

  it('of host and container in the middle of a turn', async () => {
    const p = await evening();
    for (const policy of MISSED_POLICIES) {
      p.ack(`g/${policy}`, 's', 'processing');
      p.beat(`g/${policy}`);
      await p.look(`g/${policy}`);
    }
    p.clock.jump(8 * HOUR + 10 * MINUTE);
    await p.round();
    expect(p.running()).toHaveLength(3);
    for (const policy of MISSED_POLICIES) {
      p.ack(`g/${policy}`, 's', 'completed');
      await p.look(`g/${policy}`);
      expect(liveRows(p, `g/${policy}`)).toHaveLength(1);
    }
    expect(await done(p)).toEqual({ latest: [tenPast], skip: [], all: everyQuarterToSix() });
    for (const policy of MISSED_POLICIES) {
      expect(liveRows(p, `g/${policy}`)).toMatchObject([{ process_after: '2026-01-16T06:15:00.000Z' }]);
    }
  });

  it('wakes no more containers than there are sessions, and each once', async () => {
    const p = await evening();
    await done(p);
    const before = p.runtime.started.length;
    p.clock.jump(8 * HOUR);
    await p.round();
    await p.round();
    expect(p.runtime.started.length - before).toBe(2);
    expect(claimable(p, 'g/latest')).toHaveLength(1);
  });
});

describe('F34: a clock that is set', () => {
  async function twoFired(): Promise<TestPorter> {
    const p = openAt('2026-01-15 09:55');
    for (const policy of MISSED_POLICIES) sendSeries(p, `g/${policy}`, 's', { cron: '0 * * * *', missed: policy });
    await p.round();
    for (const minutes of [5, 60]) {
      await p.pass(minutes * MINUTE);
      await p.round();
      for (const policy of MISSED_POLICIES) await workOff(p, `g/${policy}`);
    }
    return p;
  }
  const hours = (...list: number[]): string[] =>
    list.map((hour) => `2026-01-15T${String(hour).padStart(2, '0')}:00:00.000Z`);

  it('back by an hour: nothing fires a second time', async () => {
    const p = await twoFired();
    p.clock.jump(-HOUR);
    await p.round();
    for (const policy of MISSED_POLICIES) expect(occurrences(p, `g/${policy}`)).toEqual(hours(10, 11, 12));
    for (let minute = 0; minute <= 120; minute += 10) {
      await p.pass(10 * MINUTE);
      await p.round();
      for (const policy of MISSED_POLICIES) await workOff(p, `g/${policy}`);
    }
    for (const policy of MISSED_POLICIES) expect(occurrences(p, `g/${policy}`)).toEqual(hours(10, 11, 12, 13));
  });

  it('back by an hour in the middle of a turn: the next one is after the one that ended', async () => {
    const p = await twoFired();
    await p.pass(HOUR);
    await p.round();
    for (const policy of MISSED_POLICIES) {
      const [live] = liveRows(p, `g/${policy}`);
      p.ack(`g/${policy}`, live?.id ?? '', 'processing');
      await p.look(`g/${policy}`);
    }
    p.clock.jump(-HOUR);
    for (const policy of MISSED_POLICIES) {
      const [live] = liveRows(p, `g/${policy}`);
      p.ack(`g/${policy}`, live?.id ?? '', 'completed');
      await p.look(`g/${policy}`);
      expect(occurrences(p, `g/${policy}`)).toEqual(hours(10, 11, 12, 13));
    }
  });

  it('forward by an hour: one for what was passed over, by policy', async () => {
    const p = await twoFired();
    p.clock.jump(HOUR + 30 * MINUTE);
    await p.round();
    const fired = await Promise.all(MISSED_POLICIES.map((policy) => workOff(p, `g/${policy}`)));
    expect(fired).toEqual([hours(12), [], hours(12)]);
    for (const policy of MISSED_POLICIES) {
      expect(liveRows(p, `g/${policy}`)).toMatchObject([{ occurrence: hours(13)[0] }]);
      occurrences(p, `g/${policy}`);
    }
  });

  it('forward and back again: distinct occurrences, none twice', async () => {
    const p = await twoFired();
    for (const byMs of [HOUR, -HOUR, 2 * HOUR, -2 * HOUR, 3 * HOUR]) {
      p.clock.jump(byMs);
      await p.round();
      for (const policy of MISSED_POLICIES) {
        await workOff(p, `g/${policy}`);
        expect(liveRows(p, `g/${policy}`)).toHaveLength(1);
        occurrences(p, `g/${policy}`);
      }
    }
  });
});
