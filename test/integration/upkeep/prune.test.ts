import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import { deskOf } from '../../support/desk-of.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const DAY = 24 * 3_600_000;
const A = session('g/a');

let porter: TestPorter;

function open(options: PorterOptions = {}): TestPorter {
  porter = new TestPorter({ files: 'in_process', ...options });
  return porter;
}

afterEach(async () => {
  await porter.close();
});

/** Accepts messages, and ends each as its name says. */
async function ended(p: TestPorter, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) p.send('g/a', id);
  await p.round();
  for (const id of ids) p.ack('g/a', id, id.startsWith('dead') ? 'failed' : 'completed', { errorClass: 'fatal' });
  await p.look('g/a');
  p.runtime.exit(A, { exitCode: 0 });
  await p.look('g/a');
}

const pruned = async (p: TestPorter, dryRun = false): Promise<string[]> =>
  (await p.upkeep.collect({ dryRun })).actions
    .filter(({ action }) => action === 'prune_messages')
    .map(({ reason, messages }) => `${reason} ${String(messages)}`);

function idsIn(p: TestPorter): { readonly messages: string[]; readonly acks: string[] } {
  const list = (file: string, sql: string): string[] => {
    const db = new Database(file, { readonly: true });
    try {
      return db.prepare<[], string>(sql).pluck().all();
    } finally {
      db.close();
    }
  };
  return {
    messages: list(p.paths('g/a').inbound, 'SELECT id FROM messages_in ORDER BY seq'),
    acks: list(p.paths('g/a').outbound, 'SELECT message_id FROM processing_ack ORDER BY message_id'),
  };
}

const KEPT = { SESSION_CLOSE_AFTER_MS: 0 };

describe('messages that ended', () => {
  it('are deleted after 30 days with acks, inbox and all that the registry says of them; the newest stays', async () => {
    const p = open({ settings: { ...KEPT, KEEP_COMPLETED_DAYS: 30 } });
    await ended(p, 'm1', 'm2', 'm3');
    const inbox = join(p.paths('g/a').inbox, 'm1');
    mkdirSync(inbox, { recursive: true });
    writeFileSync(join(inbox, 'file'), 'x');
    p.clock.advance(30 * DAY);
    expect(await pruned(p)).toEqual([]);
    p.clock.advance(1);
    expect(await pruned(p, true)).toEqual(['completed 2']);
    expect(idsIn(p).messages).toEqual(['m1', 'm2', 'm3']);
    expect(await pruned(p)).toEqual(['completed 2']);
    expect(idsIn(p)).toEqual({ messages: ['m3'], acks: ['m3'] });
    expect(existsSync(inbox)).toBe(false);
    expect(await pruned(p)).toEqual([]);
    await p.round();
    expect(p.registry.findSession(A)?.counts).toMatchObject({ completed: 1 });
    // Its id is free again, and what comes next is numbered after what is left.
    await ended(p, 'm1');
    expect(p.message('g/a', 'm1')).toMatchObject({ seq: 8, status: 'completed' });
  });

  it('L22: dead letters after 7 days, each by its own age', async () => {
    const p = open({ settings: KEPT });
    await ended(p, 'dead-1', 'm1');
    p.clock.advance(3 * DAY);
    await ended(p, 'dead-2', 'm2');
    p.clock.advance(4 * DAY + 1);
    expect(await pruned(p)).toEqual(['dead_letter 1']);
    expect(idsIn(p).messages).toEqual(['m1', 'dead-2', 'm2']);
    expect(p.registry.turnEnds(A, 'dead-1' as never)).toEqual([]);
  });

  it('L26: a purged dead letter can be brought back until the next day', async () => {
    const p = open({ settings: { ...KEPT, DEAD_LETTER_DAYS: 0 } });
    const api = deskApi(deskOf(p));
    await ended(p, 'dead-1', 'dead-2', 'm1');
    p.clock.advance(100 * DAY);
    await api.purgeDead({ session: 'g/a', ids: ['dead-1', 'dead-2'] });
    p.clock.advance(DAY);
    expect(await pruned(p)).toEqual([]);
    await api.retryDead({ session: 'g/a', ids: ['dead-2'] });
    await p.round();
    p.ack('g/a', 'dead-2', 'completed');
    await p.look('g/a');
    p.runtime.exit(A, { exitCode: 0 });
    await p.look('g/a');
    p.clock.advance(1);
    expect(await pruned(p)).toEqual(['dead_letter 1']);
    expect(idsIn(p).messages).toEqual(['dead-2', 'm1']);
  });

  it.each(['pinned', 'suspended'] as const)('L5: of a %s session they stay', async (state) => {
    const p = open({ settings: KEPT });
    await ended(p, 'm1', 'dead-1', 'm2');
    if (state === 'pinned') p.registry.setPinned(A, true);
    else p.registry.setStatus(A, 'suspended', p.clock.now(), null);
    p.clock.advance(1_000 * DAY);
    expect(await pruned(p)).toEqual([]);
  });

  it('stay while a container runs: its acks may be what it goes by', async () => {
    const p = open({ settings: { ...KEPT, IDLE_TIMEOUT_MS: '30d', ABSOLUTE_CEILING_MS: '30d' } });
    await ended(p, 'm1', 'm2');
    p.clock.advance(40 * DAY);
    p.send('g/a', 'm3');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(await pruned(p)).toEqual([]);
  });

  it('L9: a crash in the middle is finished by the next pass: nothing is left that speaks of what is gone', async () => {
    const p = open({ settings: KEPT });
    await ended(p, 'm1', 'm2');
    p.clock.advance(40 * DAY);
    p.registry.beginPrune(A, ['m1' as never]);
    await p.files.prune(A, ['m1' as never]);
    await p.restart();
    expect(await pruned(p)).toEqual([]);
    expect(p.registry.prunes(A)).toEqual([]);
    // What still stood in the registry would have refused it as another message of a known id.
    await ended(p, 'm1');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
  });
});

it('L10: the registry gives back what it does not need once more than a quarter of it is free, and not again for 30 days', async () => {
  const p = open({ settings: KEPT });
  const fill = (): void => {
    const names = Array.from({ length: 3_000 }, (_, index) => session(`g/s${String(index)}`));
    const facts = { provider: null, image: null, command: ['x'.repeat(500)], createdAtMs: p.clock.now() };
    p.registry.together(() => {
      for (const address of names) p.registry.createSession({ address, ...facts });
    });
    p.registry.together(() => {
      for (const address of names) {
        p.registry.deleteSession(address, p.clock.now());
        p.registry.forgetRemoval(address);
      }
    });
  };
  const vacuumed = async (): Promise<boolean> =>
    (await p.upkeep.collect({ dryRun: false })).actions.some(({ action }) => action === 'vacuum');
  expect(await vacuumed()).toBe(false);
  fill();
  const { pages, free } = p.registry.compact().facts();
  expect(free).toBeGreaterThan(pages / 4);
  expect(await vacuumed()).toBe(true);
  expect(p.registry.compact().facts()).toMatchObject({ free: 0 });
  fill();
  p.clock.advance(30 * DAY - 1);
  expect(await vacuumed()).toBe(false);
  p.clock.advance(1);
  expect(await vacuumed()).toBe(true);
});
