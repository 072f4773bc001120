import { afterEach, expect, it } from 'vitest';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const DAY = 24 * 3_600_000;

let porter: TestPorter;

afterEach(async () => {
  await porter.close();
});

function open(settings: NonNullable<PorterOptions['settings']> = {}): TestPorter {
  return (porter = new TestPorter({ files: 'in_process', settings: { SESSION_CLOSE_AFTER_MS: 0, ...settings } }));
}

function raise(p: TestPorter, kind: 'stopped' | 'held' | 'series_retired', name: string | null): void {
  const text = `${kind} ${String(name)}`;
  p.registry.raise({ kind, session: name === null ? null : session(name), text, atMs: p.clock.now() });
}

/** Of what was dropped, or in a dry run would be. */
async function drop(p: TestPorter, dryRun = false): Promise<unknown[]> {
  const { actions } = await p.upkeep.collect({ dryRun });
  return actions
    .filter(({ action }) => action === 'drop_notice')
    .map(({ session: name, notice, reason }) => [name, notice, reason]);
}

it('L22: notices of what happened once, and not again for a week, are dropped; what is still so stays', async () => {
  const p = open();
  raise(p, 'stopped', 'g/a');
  raise(p, 'stopped', 'g/again');
  raise(p, 'series_retired', 'g/a');
  raise(p, 'held', 'g/a');
  p.clock.advance(DAY);
  raise(p, 'stopped', 'g/again');
  p.clock.advance(6 * DAY);
  expect(await drop(p), 'exactly a week old').toEqual([]);
  p.clock.advance(1);
  const expected = [
    ['g/a', 'series_retired', 'old'],
    ['g/a', 'stopped', 'old'],
  ];
  expect(await drop(p, true)).toEqual(expected);
  expect(p.notices()).toHaveLength(4);
  expect(await drop(p)).toEqual(expected);
  expect(p.notices().toSorted()).toEqual(['held g/a', 'stopped g/again']);
});

it('all of very many are dropped in one pass', async () => {
  const p = open();
  for (let index = 0; index < 450; index += 1) raise(p, 'stopped', `g/s${String(index)}`);
  p.clock.advance(8 * DAY);
  expect(await drop(p)).toHaveLength(450);
  expect(p.notices()).toEqual([]);
});

it('NOTICE_MAX_AGE_DAYS 0 keeps them for ever', async () => {
  const p = open({ NOTICE_MAX_AGE_DAYS: 0 });
  raise(p, 'stopped', 'g/a');
  p.clock.advance(1_000 * DAY);
  expect(await drop(p)).toEqual([]);
});
