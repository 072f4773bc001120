import { afterEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config.js';
import { TestPorter } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let porter: TestPorter;

function open(options?: PorterOptions): TestPorter {
  porter = new TestPorter(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
});

/** As the daemon does after a reload; resolves when all that it began is done. */
async function change(p: TestPorter, changed: Partial<Settings>): Promise<void> {
  p.settings = { ...p.settings, ...changed };
  p.rounds.settingsChanged();
  await p.rounds.settled();
}

const lastRoundMs = (p: TestPorter): number => p.rounds.state().lastSweep?.startedAtMs ?? NaN;

describe('rounds under changed settings', () => {
  it('L24: there is one at once, then one every new interval, and they are not late for the old one', async () => {
    const p = open({ settings: { SWEEP_INTERVAL_MS: HOUR } });
    await p.rounds.start();
    await p.pass(10 * MINUTE);
    await change(p, { sweepIntervalMs: MINUTE });
    const changedAtMs = p.clock.now();
    expect(lastRoundMs(p)).toBe(changedAtMs);
    for (let round = 1; round <= 3; round += 1) {
      await p.pass(MINUTE - 1);
      expect(lastRoundMs(p)).toBe(changedAtMs + (round - 1) * MINUTE);
      await p.pass(1);
      expect(lastRoundMs(p)).toBe(changedAtMs + round * MINUTE);
    }
    // Nor is there a second loop of the old interval.
    await change(p, { sweepIntervalMs: HOUR });
    const slowAtMs = lastRoundMs(p);
    await p.pass(HOUR - 1);
    expect(lastRoundMs(p)).toBe(slowAtMs);
    await p.pass(1);
    expect(lastRoundMs(p)).toBe(slowAtMs + HOUR);
  });

  it('L24: the round that a shorter interval brings about judges silence: it is not a late one', async () => {
    const p = open({ settings: { SWEEP_INTERVAL_MS: HOUR } });
    await p.rounds.start();
    p.send('g/a', 'm1');
    await p.look('g/a');
    p.ack('g/a', 'm1', 'processing');
    p.beat('g/a');
    await p.look('g/a');
    await p.pass(50 * MINUTE);
    await change(p, { sweepIntervalMs: MINUTE });
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1 });
  });

  it('L24: more room starts who waits; less room stops nobody', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 1, SWEEP_INTERVAL_MS: HOUR } });
    await p.rounds.start();
    for (const name of ['g/a', 'g/b', 'g/c']) {
      p.send(name, 'm1');
      await p.look(name);
    }
    expect(p.running()).toEqual(['g/a']);
    await change(p, { maxConcurrentContainers: 2 });
    expect(p.running()).toEqual(['g/a', 'g/b']);
    for (const name of ['g/a', 'g/b']) p.ack(name, 'm1', 'processing');
    await change(p, { maxConcurrentContainers: 1 });
    expect(p.running()).toEqual(['g/a', 'g/b']);
    expect(p.rounds.state().waiting).toBe(1);
  });

  it('L24: what containers are made of holds for new ones: a running one ends its turn, then is replaced', async () => {
    const p = open({ settings: { SWEEP_INTERVAL_MS: HOUR } });
    await p.rounds.start();
    p.send('g/a', 'm1');
    await p.look('g/a');
    p.ack('g/a', 'm1', 'processing');
    await p.look('g/a');
    await change(p, { environment: { KEY: 'new' } });
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.running()).toEqual([]);
    p.send('g/a', 'm2');
    await p.look('g/a');
    expect(p.runtime.containers().find(({ state }) => state === 'running')?.epoch).toBe(2);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', tries: 0 });
  });

  it('L24: a change before the first round, or after the end, begins nothing', async () => {
    const p = open();
    await change(p, { sweepIntervalMs: MINUTE });
    expect(p.rounds.state().lastSweep).toBeNull();
    await p.rounds.start();
    await p.rounds.stop();
    await change(p, { sweepIntervalMs: HOUR });
    await p.pass(HOUR);
    expect(lastRoundMs(p)).toBe(p.clock.now() - HOUR);
  });
});
