import { afterEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { MessageId } from '../../../src/protocol/address.js';
import { deskOf } from '../../support/desk-of.js';
import { TestPorter, session } from '../../support/porter.js';

const DAY = 24 * 3_600_000;
const A = session('g/a');

let porter: TestPorter;

interface Hooks {
  /** Called when a method of a port has answered. */
  after?: (method: string) => void;
}

/** One session with a completed message, a dead letter and a newest one, as old as may be. */
async function open(hooks: Hooks = {}): Promise<TestPorter> {
  const hooked = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args: readonly unknown[]): unknown => {
          const answer: unknown = Reflect.apply(member, target, args);
          if (!(answer instanceof Promise)) {
            hooks.after?.(String(name));
            return answer;
          }
          return answer.then((value: unknown) => {
            hooks.after?.(String(name));
            return value;
          });
        };
      },
    });
  porter = new TestPorter({
    ...{ files: 'in_process', settings: { SESSION_CLOSE_AFTER_MS: 0 } },
    ports: ({ registry, files, runtime, clock }) => ({
      ...{ registry: hooked(registry), files: hooked(files), runtime: hooked(runtime), clock },
    }),
  });
  const p = porter;
  for (const id of ['m1', 'dead-1', 'm2']) p.send('g/a', id);
  await p.round();
  for (const id of ['m1', 'dead-1', 'm2']) p.ack('g/a', id, id.startsWith('dead') ? 'failed' : 'completed');
  await p.look('g/a');
  p.runtime.exit(A, { exitCode: 0 });
  await p.look('g/a');
  p.clock.advance(100 * DAY);
  return p;
}

afterEach(async () => {
  await porter.close();
});

const gc = (p: TestPorter) => p.upkeep.collect({ dryRun: false });
const isThere = (p: TestPorter, id: string): boolean => p.message('g/a', id) !== undefined;
const ids = (...texts: readonly string[]) => texts as unknown as readonly MessageId[];

describe('a dead letter that is being deleted', () => {
  it('L22: is not said to be tried again, by its name or among others', async () => {
    const hooks: Hooks = {};
    const p = await open(hooks);
    const api = deskApi(deskOf(p));
    // A pass comes in between, and is at the files yet.
    hooks.after = (method) => {
      if (method === 'states' || method === 'failed') p.registry.beginPrune(A, ids('dead-1'));
    };
    const why = 'message "dead-1" of g/a is old enough to be deleted, and just being it';
    await expect(api.retryDead({ session: 'g/a', ids: ['dead-1'] })).rejects.toThrow(why);
    expect(await api.retryDead({ group: 'g', all: true })).toEqual({ dryRun: false, retried: [], problems: [why] });
    expect(p.registry.replays(A)).toEqual([]);
    await gc(p);
    expect(isThere(p, 'dead-1')).toBe(false);
  });

  it('L22: stays if it is asked for before', async () => {
    const hooks: Hooks = {};
    const p = await open(hooks);
    hooks.after = (method) => {
      if (method === 'prunable')
        p.registry.requestReplays(A, [{ id: 'dead-1' as MessageId, attempt: 0 }], p.clock.now());
    };
    await gc(p);
    expect(isThere(p, 'm1')).toBe(false);
    expect(p.registry.replays(A)).toMatchObject([{ id: 'dead-1' }]);
    await p.round();
    expect(p.message('g/a', 'dead-1')).toMatchObject({ status: 'pending', attempt: 1 });
  });
});

describe('what an earlier pass began and did not end', () => {
  it('L22: is left alone where it is not to go any more, and can be tried again', async () => {
    const p = await open();
    p.registry.beginPrune(A, ids('m1', 'dead-1'));
    p.settings = { ...p.settings, deadLetterDays: 0 };
    await gc(p);
    expect(isThere(p, 'm1')).toBe(false);
    expect(isThere(p, 'dead-1')).toBe(true);
    expect(p.registry.prunes(A)).toEqual([]);
    await deskApi(deskOf(p)).retryDead({ session: 'g/a', ids: ['dead-1'] });
    await p.round();
    expect(p.message('g/a', 'dead-1')).toMatchObject({ status: 'pending', attempt: 1 });
  });

  it('L5: is finished in a pinned session as far as it is gone', async () => {
    const p = await open();
    p.registry.beginPrune(A, ids('m1', 'dead-1'));
    await p.files.prune(A, ids('m1'));
    p.registry.setPinned(A, true);
    await gc(p);
    expect(isThere(p, 'dead-1')).toBe(true);
    expect(p.registry.prunes(A)).toEqual([]);
    // Its id is free again.
    p.send('g/a', 'm1');
  });
});

describe('L5: messages stay in a session', () => {
  it.each([
    ['pinned', 'its turn came', 'inspect'],
    ['suspended', 'its turn came', 'inspect'],
    ['pinned', 'they were deleted', 'prunable'],
    ['suspended', 'they were deleted', 'prunable'],
  ] as const)('that was %s before %s', async (state, _when, method) => {
    const hooks: Hooks = {};
    const p = await open(hooks);
    hooks.after = (called) => {
      if (called !== method) return;
      if (state === 'pinned') p.registry.setPinned(A, true);
      else p.registry.setStatus(A, 'suspended', p.clock.now(), null);
    };
    await gc(p);
    expect(isThere(p, 'm1')).toBe(true);
    expect(isThere(p, 'dead-1')).toBe(true);
    expect(p.registry.prunes(A)).toEqual([]);
  });
});
