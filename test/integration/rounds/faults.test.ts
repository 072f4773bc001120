import { rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { epochOf } from '../../../src/protocol/address.js';
import { containerName } from '../../../src/rounds/container-spec.js';
import type { ContainerSpec, InstallId } from '../../../src/ports/runtime.js';
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

const ROUND = 60_000;

function planted(p: TestPorter, address: string, epoch: number, specHash = 'x'): ContainerSpec {
  return {
    name: containerName(p.registry.install, session(address)),
    install: p.registry.install,
    session: session(address),
    epoch: epochOf(epoch),
    specHash,
    image: undefined,
    command: undefined,
    environment: {},
    inDir: '/in',
    outDir: '/out',
    hostDir: '/host',
    limits: { memoryBytes: 1, cpus: 1, pids: 1 },
    network: 'none',
  };
}

describe('files that cannot be trusted', () => {
  it('F1: one unreadable database costs the others nothing and is replaced after three looks', async () => {
    const p = open();
    for (const name of ['g/bad', 'g/good']) p.send(name, 'm1');
    await p.round();
    p.runtime.exit(session('g/bad'));
    writeFileSync(p.paths('g/bad').outbound, 'no database, but long enough to be taken for one'.repeat(100));
    p.ack('g/good', 'm1', 'completed');
    const report = await p.round();
    expect(report.errors).toBe(1);
    expect(p.message('g/good', 'm1')).toMatchObject({ status: 'completed' });
    for (let look = 0; look < 3; look += 1) await p.pass(1_000);
    expect(p.notices()).toContain('replaced_corrupt_file g/bad');
    expect(p.message('g/bad', 'm1')).toMatchObject({ status: 'pending', tries: 1 });
  });

  it('F14: a link in the place of outbound.db quarantines the session, stops its container and writes nothing', async () => {
    const p = open();
    p.send('g/victim', 'v1');
    p.send('g/bad', 'm1');
    await p.round();
    p.runtime.exit(session('g/victim'));
    const { outbound } = p.paths('g/bad');
    rmSync(outbound);
    symlinkSync(p.paths('g/victim').outbound, outbound);
    const before = statSync(p.paths('g/victim').outbound, { bigint: true }).mtimeNs;
    await p.round();
    await p.round();
    expect(p.notices()).toContain('quarantined g/bad');
    expect(p.running()).not.toContain('g/bad');
    expect(statSync(p.paths('g/victim').outbound, { bigint: true }).mtimeNs).toBe(before);
    const started = p.runtime.started.length;
    p.send('g/bad', 'm2');
    await p.round();
    expect(p.runtime.started.filter(({ spec }) => spec.session === session('g/bad'))).toHaveLength(1);
    expect(p.runtime.started.length).toBeGreaterThanOrEqual(started);
  });

  it('F13: a container that keeps its file locked is stopped after 30 s, and sending goes on meanwhile', async () => {
    const p = open({ settings: { START_GRACE_MS: 0 } });
    p.send('g/a', 'm1');
    await p.round();
    const holder = new Database(p.paths('g/a').outbound);
    holder.exec('BEGIN EXCLUSIVE');
    try {
      await p.look('g/a');
      p.send('g/a', 'm2');
      await p.pass(29_000);
      await p.round();
      expect(p.running()).toEqual(['g/a']);
      await p.pass(2_000);
      await p.round();
      expect(p.running()).toEqual([]);
      expect(p.notices()).toContain('stopped g/a');
    } finally {
      holder.close();
    }
    await p.round();
    expect(p.message('g/a', 'm2')).toMatchObject({ status: 'pending' });
  });
});

describe('a runtime that fails', () => {
  it('F16: a hung inspect of one session holds up no other', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    const release = p.runtime.hang('start');
    p.send('g/b', 'm1');
    await p.rounds.tick();
    p.ack('g/a', 'm1', 'completed');
    await p.rounds.tick();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    release();
    await p.rounds.settled();
    expect(p.running()).toEqual(['g/a', 'g/b']);
  });

  it('F16: an engine that is down is a state: nothing is counted, everything goes on when it is back', async () => {
    const p = open();
    p.runtime.engine('down');
    p.send('g/a', 'm1');
    await p.round();
    expect(p.rounds.state().runtime.state).toBe('down');
    await p.pass(6 * ROUND);
    expect(p.notices()).toContain('runtime_down -');
    p.runtime.engine('up');
    await p.until('it is woken', () => p.running().length === 1);
    expect(p.registry.guard(session('g/a'))).toMatchObject({ fruitless: 0 });
    expect(p.notices()).not.toContain('runtime_down -');
  });

  it('an engine restart costs neither a try nor a start', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.runtime.engine('down');
    await p.round();
    p.runtime.restartEngine();
    p.runtime.engine('up');
    await p.until('it is woken again', () => p.epoch('g/a') === 2 && p.running().length === 1);
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 0, status: 'pending' });
    expect(p.running()).toEqual(['g/a']);
    expect(p.epoch('g/a')).toBe(2);
  });

  it('F17: an event stream that ends is opened again, followed by a full list', async () => {
    const p = open();
    await p.rounds.start();
    p.send('g/a', 'm1');
    await p.look('g/a');
    p.runtime.loseEvents();
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    expect(p.registry.openIncarnations()).toHaveLength(1);
    await p.until(
      'the exit is noticed',
      () => typeof p.registry.incarnations(session('g/a'), 9).at(-1)?.stoppedAtMs === 'number',
    );
  });

  it('F18: a container that cannot be stopped blocks its session, with a notice, until it is gone', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.runtime.unstoppable(session('g/a'));
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    for (let minute = 0; minute < 6; minute += 1) p.clock.advance(ROUND);
    p.rounds.hint(session('g/a'));
    await p.until('it is told', () => p.notices().includes('unstoppable g/a'));
    p.send('g/a', 'm2');
    await p.round();
    expect(p.runtime.started).toHaveLength(1);
    p.runtime.unstoppable(session('g/a'), false);
    p.runtime.exit(session('g/a'));
    await p.round();
    expect(p.runtime.started).toHaveLength(2);
  });

  it('F27: two OOM kills in a row hold the session', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    for (const waitMs of [5_000, 10_000]) {
      p.ack('g/a', 'm1', 'processing');
      p.runtime.exit(session('g/a'), { exitCode: 137, oomKilled: true, output: 'heap out of memory' });
      await p.look('g/a');
      await p.pass(waitMs);
      await p.round();
    }
    expect(p.runtime.started).toHaveLength(2);
    expect(p.registry.guard(session('g/a')).holdReason).toBe('oom_kills');
    expect(p.registry.incarnations(session('g/a'), 1)[0]).toMatchObject({
      oomKilled: true,
      output: 'heap out of memory',
    });
  });
});

describe('reconciling', () => {
  it('F22: a restarted host knows what runs before anything else, and adopts it', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    await p.restart();
    await p.rounds.start();
    expect(p.rounds.state().running).toMatchObject([{ session: 'g/a', epoch: 1 }]);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', tries: 0 });
    expect(p.runtime.started).toHaveLength(1);
  });

  it('F19: removes what carries its label and has no session, and nothing of another install', async () => {
    const p = open();
    const foreign = p.runtime.ofInstall('0123456789abcdef' as InstallId);
    foreign.plant({ ...planted(p, 'g/other', 1), name: 'np-01234567-x', install: '0123456789abcdef' as InstallId });
    p.runtime.plant(planted(p, 'g/nobody', 1));
    const report = await p.round();
    expect(report.actions).toMatchObject([{ action: 'remove', reason: 'no_session', session: 'g/nobody' }]);
    expect(p.running()).toEqual([]);
    expect(foreign.containers()).toHaveLength(1);
  });

  it('F5: a container of an older incarnation is removed within a round', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.runtime.plant({ ...planted(p, 'g/a', 0), name: 'np-left-over' });
    await p.round();
    expect(p.runtime.containers()).toMatchObject([{ epoch: 1, state: 'running' }]);
  });

  it('F39: an outdated container runs its claim to the end and is replaced then', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.runtime.lieInList((containers) => containers.map((one) => ({ ...one, specHash: 'of yesterday' })));
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    p.send('g/a', 'm2');
    await p.round();
    p.runtime.lieInList(undefined);
    await p.round();
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    expect(p.epoch('g/a')).toBe(2);
    expect(p.registry.guard(session('g/a')).fruitless).toBe(0);
  });
});

describe('room', () => {
  it('F28: never more than the limit, oldest due first, waiting is visible', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 2 } });
    for (const name of ['a/1', 'b/1', 'a/2', 'b/2']) {
      p.send(name, 'm1');
      p.clock.advance(10);
    }
    await p.round();
    expect(p.running()).toEqual(['a/1', 'b/1']);
    expect(p.rounds.state().waiting).toBe(2);
    p.ack('a/1', 'm1', 'processing');
    p.ack('b/1', 'm1', 'processing');
    await p.round();
    expect(p.running()).toEqual(['a/1', 'b/1']);
  });

  it('F37: an idle container gives up its place at once for one that waits', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 1 } });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    p.send('g/b', 'm1');
    await p.look('g/b');
    await p.look('g/b');
    expect(p.running()).toEqual(['g/b']);
    expect(p.registry.incarnations(session('g/a'), 1)[0]).toMatchObject({ stopReason: 'yielded', fruitless: false });
  });

  it('drains: what is idle stops, a running turn is waited for', async () => {
    const p = open();
    p.send('g/a', 'm1');
    p.send('g/b', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.ack('g/b', 'm1', 'completed');
    const drained = p.rounds.drain();
    await p.until('the idle one is gone', () => p.running().length === 1);
    p.ack('g/a', 'm1', 'completed');
    let isDone = false;
    void drained.then(() => {
      isDone = true;
    });
    await p.until('it says that all are gone', () => isDone);
    expect(await drained).toMatchObject({ stopped: 2, interrupted: [] });
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', tries: 0 });
  });
});

describe('dry run', () => {
  it('says what a round would do and changes nothing', async () => {
    const p = open();
    p.send('g/a', 'm1');
    const report = await p.rounds.sweep({ dryRun: true });
    expect(report.actions.map(({ action }) => action).sort()).toEqual(['deliver', 'wake']);
    expect(p.runtime.started).toEqual([]);
    expect(p.message('g/a', 'm1')).toBeUndefined();
    expect(p.registry.totals().messages.spooled).toBe(1);
  });
});
