import { mkdirSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { DiskFull, NightporterError } from '../../../src/protocol/errors.js';
import { broken } from '../../support/broken.js';
import { eventually, within } from '../../support/eventually.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

let porter: TestPorter;

function open(options?: PorterOptions): TestPorter {
  porter = new TestPorter(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
});

/** Fails where looks, starts or stops bring about each other without end. */
function rest(): Promise<void> {
  return within('it comes to rest', 5_000, porter.rounds.settled());
}

describe('starts that cannot be readied', () => {
  it('F38: a folder in the place of the heartbeat quarantines the session instead of starting it over and over', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    mkdirSync(p.paths('g/a').heartbeat);
    p.clock.advance(1_000);
    await rest();
    expect(p.notices()).toContain('quarantined g/a');
    expect(p.runtime.started).toHaveLength(1);
  });

  it('F35: a full disk at a start is told once, tried again with patience, and over when there is space', async () => {
    const p = open();
    let isFull = true;
    const prepares = broken(p.files, 'prepareStart', () => (isFull ? new DiskFull('no space left') : undefined));
    p.send('g/a', 'm1');
    await p.rounds.tick();
    await rest();
    expect(p.notices()).toEqual(['disk_full -']);
    for (let second = 0; second < 20; second += 1) {
      p.clock.advance(1_000);
      await rest();
    }
    expect(prepares.calls).toBeGreaterThan(2);
    expect(prepares.calls).toBeLessThan(10);
    expect(p.registry.openNotices(9)).toMatchObject([{ kind: 'disk_full', count: 1 }]);
    isFull = false;
    await p.pass(10_000);
    expect(p.running()).toEqual(['g/a']);
    expect(p.notices()).toEqual([]);
  });

  it('a start that fails for a reason of its own is not begun anew at once', async () => {
    const p = open();
    broken(p.registry, 'beginIncarnation', () => new DiskFull('no space left'));
    p.send('g/a', 'm1');
    await p.rounds.tick();
    await rest();
    expect(p.runtime.started).toEqual([]);
  });

  it('a lock on inbound.db that only keeps the host from writing does not make it try without a pause', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    const holder = new Database(p.paths('g/a').inbound);
    holder.exec('BEGIN IMMEDIATE');
    const looks = broken(p.files, 'settle', () => undefined);
    try {
      p.runtime.exit(session('g/a'), { exitCode: 1 });
      p.rounds.hint(session('g/a'));
      await rest();
      expect(looks.calls).toBeLessThan(4);
    } finally {
      holder.close();
    }
    await p.pass(10_000);
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1 });
  });
});

describe('looks that fail', () => {
  it('F1: files that cannot be read at all cost the other sessions nothing', async () => {
    const p = open();
    for (const name of ['g/bad', 'g/good']) p.send(name, 'm1');
    await p.round();
    broken(p.files, 'look', (address) =>
      address === 'g/bad' ? new NightporterError('failed', 'look g/bad failed: EACCES') : undefined,
    );
    p.ack('g/good', 'm1', 'completed');
    const report = await p.round();
    expect(p.message('g/good', 'm1')).toMatchObject({ status: 'completed' });
    expect(report.errors).toBe(1);
  });

  it('F35: a full disk in looks is told once and settled by the next look that works', async () => {
    const p = open();
    p.send('g/a', 'm1');
    p.send('g/b', 'm1');
    let isFull = true;
    broken(p.files, 'deliver', () => (isFull ? new DiskFull('no space left') : undefined));
    await p.rounds.tick();
    await rest();
    await p.round();
    expect(p.registry.openNotices(9)).toMatchObject([{ kind: 'disk_full', session: null, count: 1 }]);
    isFull = false;
    await p.pass(10_000);
    expect(p.running()).toEqual(['g/a', 'g/b']);
    expect(p.notices()).toEqual([]);
  });

  it('F35: a registry on a full disk ends no round, and everything goes on when there is space', async () => {
    const p = open();
    p.send('g/a', 'm1');
    let isFull = true;
    const full = (): Error | undefined => (isFull ? new DiskFull('no space left for registry.db') : undefined);
    for (const method of ['unspool', 'recordLook', 'raise', 'settleNotice', 'writeFact', 'saveGuard'] as const) {
      broken(p.registry, method, full);
    }
    await p.rounds.start();
    await rest();
    await p.round();
    isFull = false;
    await p.pass(10_000);
    expect(p.running()).toEqual(['g/a']);
  });

  it('F35: a full disk is told of although the registry cannot take that: by state, and recorded as soon as it can', async () => {
    const p = open();
    p.send('g/a', 'm1');
    let isFull = true;
    let isRegistryFull = true;
    broken(p.files, 'deliver', () => (isFull ? new DiskFull('no space left') : undefined));
    for (const method of ['raise', 'settleNotice'] as const) {
      broken(p.registry, method, () => (isRegistryFull ? new DiskFull('no space left for registry.db') : undefined));
    }
    await p.rounds.tick();
    await rest();
    await p.round();
    expect(p.rounds.state().unrecordedNotices).toMatchObject([{ kind: 'disk_full', session: null, count: 1 }]);
    expect(p.notices()).toEqual([]);

    isRegistryFull = false;
    await p.round();
    expect(p.rounds.state().unrecordedNotices).toEqual([]);
    expect(p.registry.openNotices(9)).toMatchObject([{ kind: 'disk_full', count: 1 }]);

    isFull = false;
    await p.pass(10_000);
    expect(p.notices()).toEqual([]);
  });

  it('F35: what is over is settled although the registry could not take that at once', async () => {
    const p = open();
    p.send('g/a', 'm1');
    let isFull = true;
    broken(p.files, 'deliver', () => (isFull ? new DiskFull('no space left') : undefined));
    await p.rounds.tick();
    await rest();
    expect(p.notices()).toEqual(['disk_full -']);

    isFull = false;
    let fails = 2;
    broken(p.registry, 'settleNotice', () =>
      --fails >= 0 ? new DiskFull('no space left for registry.db') : undefined,
    );
    await p.pass(10_000);
    await p.round();
    expect(fails).toBeLessThan(0);
    expect(p.notices()).toEqual([]);
  });

  it('F27: the end of a container is kept although the look that harvested it failed', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    let fails = true;
    broken(p.files, 'look', () => (fails ? new DiskFull('no space left') : undefined));
    p.runtime.exit(session('g/a'), { exitCode: 137, oomKilled: true, output: 'heap out of memory' });
    p.rounds.hint(session('g/a'));
    await rest();
    fails = false;
    await p.pass(1_000);
    expect(p.registry.incarnations(session('g/a'), 9).at(-1)).toMatchObject({
      oomKilled: true,
      exitCode: 137,
      output: 'heap out of memory',
    });
  });

  it('a session whose folder vanished while it runs is not looked at ten times a second', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.rounds.start();
    await rest();
    rmSync(p.paths('g/a').session, { recursive: true });
    const looks = broken(p.files, 'look', () => undefined);
    const watches = broken(p.files, 'signatures', () => undefined);
    await p.until('the watch has come by 20 times', () => watches.calls >= 20);
    await rest();
    expect(looks.calls).toBeLessThan(4);
  });

  it('F13: a container that takes away the right to read its files is stopped like one that locks them', async () => {
    const p = open({ settings: { START_GRACE_MS: 0 } });
    p.send('g/a', 'm1');
    await p.round();
    broken(p.files, 'look', () =>
      p.running().length === 0
        ? undefined
        : new NightporterError('failed', 'look g/a failed', { cause: Object.assign(new Error(), { code: 'EACCES' }) }),
    );
    p.rounds.hint(session('g/a'));
    await rest();
    for (let second = 0; second < 29; second += 1) await p.pass(1_000);
    expect(p.running()).toEqual(['g/a']);
    await p.pass(10_000);
    expect(p.registry.incarnations(session('g/a'), 9).at(-1)).toMatchObject({ stopReason: 'locked' });
  });

  it('a file that is locked for long by somebody else than a container is told, until it is free', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    const holder = new Database(p.paths('g/a').inbound);
    holder.exec('BEGIN EXCLUSIVE');
    try {
      for (let second = 0; second < 45; second += 5) await p.pass(5_000);
      expect(p.registry.openNotices(9)).toMatchObject([{ kind: 'file_busy', session: 'g/a', count: 1 }]);
    } finally {
      holder.close();
    }
    await p.pass(10_000);
    expect(p.notices()).toEqual([]);
  });
});

describe('the loop', () => {
  it('a first round that fails does not end the rounds', async () => {
    const p = open();
    p.send('g/a', 'm1');
    p.runtime.failNext('list', new NightporterError('refused', 'not allowed to list'));
    await p.rounds.start();
    expect(p.running()).toEqual([]);
    await p.until('the next one works', () => p.running().length === 1);
  });

  it('F17: an engine that refuses a ping ends neither the events nor the daemon', async () => {
    const p = open();
    await p.rounds.start();
    p.send('g/a', 'm1');
    await p.look('g/a');
    p.ack('g/a', 'm1', 'processing');
    p.runtime.failNext('ping', new NightporterError('refused', 'no such route'));
    p.runtime.loseEvents();
    await eventually('the ping was refused', () => p.runtime.calls.filter(({ call }) => call === 'ping').length >= 2);
    for (let second = 0; second < 5; second += 1) await p.pass(1_000);
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await eventually('the exit is noticed', () => p.registry.openIncarnations().length === 0);
  });

  it('F16: many starts that hang keep no other session from being looked at', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 40 } });
    p.send('g/first', 'm1');
    await p.round();
    const release = p.runtime.hang('start');
    for (let n = 0; n < 20; n += 1) p.send('g/s' + String(n), 'm1');
    await p.rounds.tick();
    await eventually('they all hang', () => p.runtime.calls.filter(({ call }) => call === 'start').length === 21);
    p.ack('g/first', 'm1', 'completed');
    p.rounds.hint(session('g/first'));
    try {
      await eventually('it is looked at', () => p.message('g/first', 'm1')?.['status'] === 'completed', {
        timeoutMs: 3_000,
      });
    } finally {
      release();
    }
    await p.rounds.settled();
  });

  it('F30: a second stop waits for what the first one waits for', async () => {
    const p = open();
    p.send('g/a', 'm1');
    const release = p.runtime.hang('start');
    await p.rounds.tick();
    await eventually('it starts', () => p.runtime.calls.some(({ call }) => call === 'start'));
    const order: string[] = [];
    const first = p.rounds.stop().then(() => order.push('first'));
    const second = p.rounds.stop().then(() => order.push('second'));
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    release();
    await Promise.all([first, second]);
    expect(p.registry.openIncarnations()).toMatchObject([{ startedAtMs: p.clock.now() }]);
  });

  it('F30: nothing is begun after a stop, whatever was under way', async () => {
    const p = open();
    p.send('g/a', 'm1');
    const release = p.runtime.hang('ping');
    const starting = p.rounds.start();
    await p.rounds.stop();
    release();
    await starting;
    expect(p.runtime.calls.map(({ call }) => call)).toEqual(['ping']);
  });

  it('F30: a stop in the middle of a round begins no further start', async () => {
    const p = open();
    p.send('g/a', 'm1');
    const release = p.runtime.hang('list');
    const round = p.rounds.tick();
    const stopped = p.rounds.stop();
    release();
    await round;
    await stopped;
    expect(p.runtime.started).toEqual([]);
    expect(p.registry.totals().messages.spooled + p.registry.totals().messages.pending).toBe(1);
  });
});
