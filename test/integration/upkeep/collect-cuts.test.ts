import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelKey } from '../../../src/protocol/address.js';
import { memoryFolder } from '../../support/crash-bench.js';
import { Cuts } from '../../support/cuts.js';
import type { CutWay } from '../../support/cuts.js';
import { FakeRuntime } from '../../support/fake-runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const DAY = 24 * 3_600_000;
const WAYS: readonly CutWay[] = ['thrown', 'unanswered', 'died_before', 'died_after'];
const STARTED_MS = Date.UTC(2026, 0, 15, 12);
const NOW_MS = STARTED_MS + 40 * DAY;

let folder: string;
const dataDir = (): string => join(folder, 'data');
const template = (): string => join(folder, 'template');

function open(options: Pick<PorterOptions, 'ports'> = {}, nowMs = NOW_MS): TestPorter {
  const clock = new ManualClock(nowMs);
  return new TestPorter({
    ...{ files: 'in_process', dataDir: dataDir(), clock, ...options },
    runtime: (install) => new FakeRuntime({ install, clock }),
  });
}

/** Sessions of every kind that upkeep has something to do about, and two that it must leave alone. */
async function arrange(): Promise<void> {
  mkdirSync(dataDir());
  const p = open({}, STARTED_MS);
  const end = async (name: string, ids: readonly string[]): Promise<void> => {
    for (const id of ids) p.send(name, id);
    await p.round();
    for (const id of ids) p.ack(name, id, id.startsWith('dead') ? 'failed' : 'completed');
    await p.look(name);
    p.runtime.exit(session(name), { exitCode: 0 });
    await p.look(name);
  };
  for (const name of ['g/deleted', 'g/left', 'g/idle', 'g/pruned', 'g/busy', 'g/pinned'])
    await end(name, ['m1', 'dead-2', 'm3']);
  p.send('g/pruned', 'later', { afterMs: NOW_MS + DAY });
  p.send('g/busy', 'later', { trigger: false, afterMs: NOW_MS + DAY });
  await p.round();
  p.registry.setPinned(session('g/pinned'), true);
  for (const name of ['g/deleted', 'g/left']) p.registry.setStatus(session(name), 'closed', STARTED_MS, 'operator');
  p.registry.deleteSession(session('g/left'), STARTED_MS);
  p.registry.saveConversation('c:1' as ChannelKey, session('g/busy'), STARTED_MS - 60 * DAY);
  await p.rounds.stop();
  p.abandon();
  cpSync(dataDir(), template(), { recursive: true });
}

function restore(): void {
  for (const name of readdirSync(dataDir())) rmSync(join(dataDir(), name), { recursive: true });
  cpSync(template(), dataDir(), { recursive: true });
}

function messagesOf(name: string): readonly string[] {
  const file = join(dataDir(), 'sessions', name, 'in/inbound.db');
  if (!existsSync(file)) return [];
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare<[], string>('SELECT id FROM messages_in ORDER BY seq').pluck().all();
  } finally {
    db.close();
  }
}

/** What must never be so, however far it came. */
function breaches(p: TestPorter): readonly string[] {
  const found: string[] = [];
  const all = [...p.registry.eachSession()].map(({ address }) => address);
  for (const name of readdirSync(join(dataDir(), 'sessions/g'))) {
    const address = session(`g/${name === '.removed' ? 'removed' : name}`);
    if (name === '.removed' || all.includes(address) || p.registry.isBeingRemoved(address)) continue;
    found.push(`${address} has a folder and no row, and nobody knows of it`);
  }
  for (const address of all) if (messagesOf(address).length === 0) found.push(`${address} has a row and no messages`);
  for (const name of ['g/busy', 'g/pruned'])
    if (!messagesOf(name).includes('later')) found.push(`${name} lost a message`);
  if (messagesOf('g/pinned').length !== 3) found.push('g/pinned was touched');
  return found;
}

function outcome(p: TestPorter): unknown {
  const folders = readdirSync(join(dataDir(), 'sessions/g')).sort();
  const rows = [...p.registry.eachSession()].map(({ address, status, counts }) => [address, status, counts]);
  const ids = folders.map((name) => messagesOf(`g/${name}`));
  return { folders, rows, ids, left: p.registry.removals(10), prunes: p.registry.prunes(session('g/pruned')) };
}

/** As often as an hourly job would get to it in a day. */
async function catchUp(p: TestPorter): Promise<unknown> {
  await p.upkeep.collect({ dryRun: false });
  await p.upkeep.collect({ dryRun: false });
  await p.round();
  return outcome(p);
}

const SETTINGS_LINE = 'L4, L9: upkeep';

describe(`${SETTINGS_LINE}, cut at every call of its ports`, () => {
  let calls: readonly string[] = [];
  let whole: unknown;

  beforeAll(async () => {
    folder = memoryFolder();
    await arrange();
    restore();
    const cuts = new Cuts(null);
    const p = open({ ports: cuts.ports });
    await p.upkeep.collect({ dryRun: false });
    cuts.over();
    ({ calls } = cuts);
    whole = await catchUp(p);
    expect(breaches(p)).toEqual([]);
    await p.rounds.stop();
    p.abandon();
  }, 60_000);
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('does what it is there for where nothing is cut', () => {
    expect(whole).toEqual({
      folders: ['busy', 'idle', 'pinned', 'pruned'],
      rows: [
        ['g/busy', 'active', { pending: 1, processing: 0, completed: 0, failed: 0, paused: 0 }],
        ['g/idle', 'closed', { pending: 0, processing: 0, completed: 1, failed: 0, paused: 0 }],
        ['g/pinned', 'active', { pending: 0, processing: 0, completed: 2, failed: 1, paused: 0 }],
        ['g/pruned', 'active', { pending: 1, processing: 0, completed: 0, failed: 0, paused: 0 }],
      ],
      ids: [['later'], ['m3'], ['m1', 'dead-2', 'm3'], ['later']],
      left: [],
      prunes: [],
    });
  });

  it.each(WAYS)(
    '%s: nothing is left half done, nothing lost, and it ends alike',
    async (way) => {
      let tried = 0;
      for (const [index, call] of calls.entries()) {
        if (way === 'unanswered' && call.startsWith('registry.')) continue;
        tried += 1;
        restore();
        const where = `${way} ${String(index + 1)} ${call}`;
        const cuts = new Cuts({ at: index + 1, way });
        let p = open({ ports: cuts.ports });
        const act = p.upkeep.collect({ dryRun: false }).catch(() => undefined);
        await Promise.race([act, cuts.died]);
        cuts.over();
        expect(cuts.hasCut, where).toBe(true);
        if (cuts.isDead) {
          await new Promise(setImmediate);
          p.abandon();
          p = open();
        }
        expect(breaches(p), where).toEqual([]);
        expect(await catchUp(p), where).toEqual(whole);
        await p.rounds.stop();
        p.abandon();
      }
      process.stderr.write(`${SETTINGS_LINE}: ${way} at ${String(tried)} of ${String(calls.length)} calls\n`);
    },
    120_000,
  );
});
