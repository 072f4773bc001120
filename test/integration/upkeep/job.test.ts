import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createJob } from '../../../src/upkeep/job.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;

it('L24: the pause that runs is measured by the new interval; the first pass, and one under way, are left alone', async () => {
  const clock = new ManualClock();
  let everyMs = DAY;
  let asked = 0;
  let work = (): Promise<void> => Promise.resolve();
  const job = createJob({
    ...{ name: 'job', clock, log: pino({ level: 'silent' }), firstAfterMs: 5_000 },
    everyMs: () => {
      asked += 1;
      return everyMs;
    },
    work: () => work(),
  });
  const passes = (): number => job.counts().passes;
  const untilPaused = async (pass: () => void): Promise<void> => {
    const before = asked;
    pass();
    await eventually('the pause after a pass', () => asked > before);
  };
  const change = (ms: number): void => {
    everyMs = ms;
    job.settingsChanged();
  };

  job.start();
  change(2 * DAY);
  clock.advance(4_999);
  expect(passes()).toBe(0);
  await untilPaused(() => {
    clock.advance(1);
  });
  expect(passes()).toBe(1);

  clock.advance(2 * HOUR);
  change(HOUR);
  await untilPaused(() => {
    clock.advance(0);
  });
  expect(passes()).toBe(2);

  clock.advance(HOUR - 1);
  change(DAY);
  clock.advance(DAY - HOUR);
  expect(passes()).toBe(2);
  let release = (): void => undefined;
  work = () => new Promise((resolve) => (release = resolve));
  clock.advance(1);
  await eventually('the pass is under way', () => passes() === 3);

  change(HOUR);
  clock.advance(2 * HOUR);
  expect(passes()).toBe(3);
  await untilPaused(() => {
    release();
  });
  await job.stop();
  change(1);
  clock.advance(DAY);
  expect(passes()).toBe(3);
});
