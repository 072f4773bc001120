import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { epochOf } from '../../../src/protocol/address.js';
import { DiskFull } from '../../../src/protocol/errors.js';
import { containerName } from '../../../src/rounds/container-spec.js';
import type { ContainerSpec } from '../../../src/ports/runtime.js';
import { broken } from '../../support/broken.js';
import { within } from '../../support/eventually.js';
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

function rest(): Promise<void> {
  return within('it comes to rest', 5_000, porter.rounds.settled());
}

function planted(p: TestPorter, address: string, epoch: number): ContainerSpec {
  return {
    name: containerName(p.registry.install, session(address)),
    install: p.registry.install,
    session: session(address),
    epoch: epochOf(epoch),
    specHash: 'x',
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

/** A container that has answered and has nothing to do for longer than it may. */
async function idle(p: TestPorter, address: string): Promise<void> {
  p.send(address, 'm1');
  await p.round();
  p.ack(address, 'm1', 'completed');
  await p.look(address);
}

const IDLE = 5 * ROUND + 1;

function count(p: TestPorter, call: string): number {
  return p.runtime.calls.filter((one) => one.call === call).length;
}

describe('stops', () => {
  it('a stop that could not be written down is tried again', async () => {
    const p = open();
    await idle(p, 'g/a');
    let isFull = true;
    broken(p.registry, 'markStopping', () => (isFull ? new DiskFull('no space left') : undefined));
    p.clock.advance(IDLE);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    isFull = false;
    await p.pass(10_000);
    await p.round();
    expect(p.running()).toEqual([]);
  });

  it('F18: a container that cannot be stopped is tried again once a round, and the notice goes with it', async () => {
    const p = open();
    await idle(p, 'g/a');
    p.runtime.unstoppable(session('g/a'));
    p.clock.advance(IDLE);
    await p.rounds.tick();
    await rest();
    expect(p.notices()).toContain('unstoppable g/a');
    const stops = count(p, 'stop');
    expect(stops).toBeLessThan(3);
    await p.rounds.tick();
    await rest();
    expect(count(p, 'stop')).toBe(stops + 1);
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    expect(p.notices()).toEqual([]);
  });

  it('F18: a stop that the runtime refuses is not repeated without a pause', async () => {
    const p = open();
    await idle(p, 'g/a');
    broken(p.runtime, 'stop', () => new Error('EPERM'));
    p.clock.advance(IDLE);
    await p.rounds.tick();
    await rest();
    expect(p.notices()).toContain('unstoppable g/a');
  });
});

describe('ends that others bring about', () => {
  it('a stop that the engine did not carry out excuses no later crash', async () => {
    const p = open();
    await idle(p, 'g/a');
    p.clock.advance(IDLE);
    p.runtime.failNext('stop');
    await p.rounds.tick();
    // It works again before the engine is back.
    p.send('g/a', 'm2');
    await rest();
    p.ack('g/a', 'm2', 'processing');
    await p.pass(1_000);
    expect(p.running()).toEqual(['g/a']);
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    expect(p.message('g/a', 'm2')).toMatchObject({ tries: 1 });
  });

  it('a container that somebody removed by hand is a turn that did not end', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    await p.runtime.remove(p.runtime.running(session('g/a'))?.id ?? ('' as never));
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1, status: 'pending' });
    await p.pass(5_000);
    expect(p.epoch('g/a')).toBe(2);
  });

  it('nobody gives up its place any more when nobody waits for it', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 1 } });
    await idle(p, 'g/a');
    const holder = new Database(p.paths('g/a').outbound);
    holder.exec('BEGIN EXCLUSIVE');
    try {
      p.send('g/b', 'm1');
      await p.look('g/b');
      p.registry.setStatus(session('g/b'), 'suspended', p.clock.now(), null);
      await p.look('g/b');
    } finally {
      holder.close();
    }
    await p.pass(5_000);
    expect(p.running()).toEqual(['g/a']);
  });

  it('a closed session keeps its container until the turn ends, then has none and costs nothing', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    await p.look('g/a');
    p.registry.setStatus(session('g/a'), 'closed', p.clock.now(), 'operator');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.running()).toEqual([]);
    await p.round();
    expect((await p.round()).swept).toBe(0);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
  });

  it('a drain ends although the engine hangs', async () => {
    const p = open({ settings: { DRAIN_TIMEOUT_MS: 10_000 } });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.runtime.engine('down');
    let isDone = false;
    void p.rounds.drain().then(() => {
      isDone = true;
    });
    await p.until('it ends', () => isDone);
    expect(p.runtime.containers()).toHaveLength(1);
  });
});

describe('orphans', () => {
  it('an orphan that cannot be removed is no engine that is down', async () => {
    const p = open();
    p.runtime.plant(planted(p, 'g/nobody', 1));
    p.runtime.unstoppable(session('g/nobody'));
    p.send('g/a', 'm1');
    await p.rounds.tick();
    await rest();
    expect(p.rounds.state().runtime.state).toBe('up');
    expect(p.running()).toContain('g/a');
    expect(p.notices()).toContain('unstoppable g/nobody');
    p.runtime.unstoppable(session('g/nobody'), false);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    await p.round();
    expect(p.notices()).toEqual([]);
  });

  it('ORPHANS=remove costs neither a try nor a start', async () => {
    const p = open({ settings: { ORPHANS: 'remove' } });
    p.send('g/a', 'm1');
    p.send('g/b', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    await p.restart();
    await p.round();
    await p.round();
    expect(p.epoch('g/a')).toBe(2);
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 0, status: 'pending' });
    expect(p.registry.guard(session('g/b'))).toMatchObject({ fruitless: 0 });
    expect(p.running()).toEqual(['g/a', 'g/b']);
  });

  it('nothing of a session is settled or woken while its container is being removed', async () => {
    const p = open({ settings: { ORPHANS: 'remove' } });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    await p.restart();
    const release = p.runtime.hang('remove');
    await p.rounds.tick();
    p.rounds.hint(session('g/a'));
    await p.rounds.tick();
    expect(p.acks('g/a')).toMatchObject([{ status: 'processing' }]);
    expect(p.registry.openIncarnations()).toHaveLength(1);
    expect(count(p, 'remove')).toBe(1);
    release();
    await rest();
    expect(p.acks('g/a')).toEqual([]);
  });

  it('what a broken start left behind is no fruitless start', async () => {
    const p = open();
    p.send('g/a', 'm1');
    p.runtime.failNext('start');
    p.runtime.lieInList(() => []);
    await p.rounds.tick();
    await rest();
    p.runtime.plant(planted(p, 'g/a', 1), { state: 'created', startedAtMs: null });
    await p.pass(1_000);
    p.runtime.lieInList(undefined);
    await p.look('g/a');
    await p.round();
    expect(p.registry.guard(session('g/a'))).toMatchObject({ fruitless: 0 });
    expect(p.running()).toEqual(['g/a']);
  });

  it('an incarnation that a restored registry took for open is closed when a newer one is found', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    // The registry of yesterday knows epoch 1 as running; by now it is 7.
    p.runtime.exit(session('g/a'));
    await p.runtime.remove(p.runtime.containers()[0]?.id ?? ('' as never));
    p.runtime.plant(planted(p, 'g/a', 7));
    await p.restart();
    await p.round();
    expect(p.registry.openIncarnations().map(({ epoch }) => epoch)).not.toContain(1);
    expect(p.epoch('g/a')).toBeGreaterThanOrEqual(7);
  });
});

describe('notices', () => {
  it('runtime_down of an earlier daemon is settled when the runtime answers', async () => {
    const p = open();
    p.runtime.engine('down');
    await p.round();
    await p.pass(6 * ROUND);
    expect(p.notices()).toEqual(['runtime_down -']);
    p.runtime.engine('up');
    await p.restart();
    await p.round();
    expect(p.notices()).toEqual([]);
  });

  it('held is settled when the hold ends by itself', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    for (const waitMs of [5_000, 10_000]) {
      p.ack('g/a', 'm1', 'processing');
      p.runtime.exit(session('g/a'), { exitCode: 137, oomKilled: true });
      await p.look('g/a');
      await p.pass(waitMs);
      await p.round();
    }
    expect(p.notices()).toContain('held g/a');
    await p.pass(15 * ROUND);
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    expect(p.registry.guard(session('g/a')).heldSinceMs).toBeNull();
    expect(p.notices()).not.toContain('held g/a');
  });

  it('held is settled when messages complete again', async () => {
    const p = open({ settings: { MAX_TRIES: 0 } });
    for (const id of ['m1', 'm2', 'm3']) {
      p.send('g/a', id);
      await p.round();
      p.ack('g/a', id, 'processing');
      p.runtime.exit(session('g/a'), { exitCode: 1 });
      await p.look('g/a');
    }
    expect(p.notices()).toContain('held g/a');
    p.send('g/a', 'm4');
    await p.pass(15 * ROUND);
    p.ack('g/a', 'm4', 'completed');
    await p.look('g/a');
    expect(p.registry.guard(session('g/a')).heldSinceMs).toBeNull();
    expect(p.notices()).not.toContain('held g/a');
  });
});
