import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import { deskOf } from '../../support/desk-of.js';
import { eventually } from '../../support/eventually.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const hasOtherDisk = existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(tmpdir()).dev;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let porter: TestPorter;

function open(options: PorterOptions = {}): TestPorter {
  porter = new TestPorter({ files: 'in_process', ...options });
  return porter;
}

afterEach(async () => {
  await porter.close();
});

const gc = (p: TestPorter, dryRun = false) => p.upkeep.collect({ dryRun });
const did = ({ actions }: Awaited<ReturnType<typeof gc>>): string[] =>
  actions.map(({ session: address, action, reason }) => `${address ?? '-'} ${action} ${reason}`).sort();

/** A session with row, folder and files, made and last active at the clock's time. */
async function make(p: TestPorter, text: string): Promise<void> {
  await p.files.create(session(text));
  p.registry.createSession({
    ...{ address: session(text), createdAtMs: p.clock.now() },
    ...{ provider: null, image: null, command: null },
  });
  await p.look(text);
}

const statusOf = (p: TestPorter, text: string): string | undefined => p.registry.findSession(session(text))?.status;

describe('closing', () => {
  it('L3: a session in which nothing happened for a day is closed, with a reason and since when', async () => {
    const p = open();
    await make(p, 'g/a');
    p.clock.advance(DAY);
    expect(did(await gc(p))).toEqual([]);
    p.clock.advance(1);
    expect(did(await gc(p, true))).toEqual(['g/a close idle']);
    expect(statusOf(p, 'g/a')).toBe('active');
    expect(did(await gc(p))).toEqual(['g/a close idle']);
    expect(p.registry.findSession(session('g/a'))).toMatchObject({
      ...{ status: 'closed', closeReason: 'idle', closedAtMs: p.clock.now() },
    });
  });

  it('L3: message, ack, answer and heartbeat count, whichever is the newest', async () => {
    const p = open();
    for (const name of ['message', 'ack', 'answer', 'heartbeat', 'none']) await make(p, `g/${name}`);
    const at = (): string => new Date(p.clock.now()).toISOString();
    p.clock.advance(12 * HOUR);
    p.write(
      'g/ack',
      `INSERT INTO processing_ack (message_id, status, status_changed) VALUES ('x', 'completed', ?)`,
      at(),
    );
    p.write(
      'g/answer',
      `INSERT INTO messages_out (id, seq, timestamp, kind, content) VALUES ('x', 1, ?, 'chat', '{}')`,
      at(),
    );
    p.beat('g/heartbeat');
    p.send('g/message', 'm1', { trigger: false });
    await p.round();
    p.clock.advance(12 * HOUR + 1);
    expect(did(await gc(p))).toEqual(['g/none close idle']);
    expect((await gc(p)).kept).toMatchObject({});
    p.clock.advance(12 * HOUR);
    // The message is not finished.
    expect(did(await gc(p))).toEqual(['g/ack close idle', 'g/answer close idle', 'g/heartbeat close idle']);
  });

  it('L3, L7: with a container it stays, also where the engine cannot be asked; one that never had one needs no answer', async () => {
    const p = open({ settings: { IDLE_TIMEOUT_MS: '30d', SESSION_CLOSE_AFTER_MS: '1h', ABSOLUTE_CEILING_MS: '30d' } });
    await make(p, 'g/never');
    p.send('g/had', 'm1');
    await p.round();
    p.ack('g/had', 'm1', 'completed');
    await p.look('g/had');
    p.clock.advance(2 * HOUR);
    expect(did(await gc(p, true))).toEqual(['g/never close idle']);
    expect((await gc(p, true)).kept).toEqual({ container: 1 });
    p.runtime.engine('down');
    expect(did(await gc(p))).toEqual(['g/never close idle']);
    expect((await gc(p)).kept).toEqual({ runtime_unknown: 1 });
    expect(statusOf(p, 'g/had')).toBe('active');
  });

  it('L7: files that cannot be read keep it', async () => {
    const p = open();
    await make(p, 'g/a');
    writeFileSync(p.paths('g/a').outbound, 'this is no database, and never was one'.repeat(100));
    p.clock.advance(2 * DAY);
    expect(did(await gc(p))).toEqual([]);
    expect(statusOf(p, 'g/a')).toBe('active');
    expect((await gc(p)).kept).toEqual({ files_unreadable: 1 });
  });

  it('L3: the first pass is 5 s after the start, then there is one every hour', async () => {
    const p = open();
    await make(p, 'g/a');
    p.clock.advance(2 * DAY);
    p.upkeep.start();
    p.clock.advance(4_999);
    expect(statusOf(p, 'g/a')).toBe('active');
    p.clock.advance(1);
    await eventually('it is closed', () => statusOf(p, 'g/a') === 'closed');
    // Waits for the pass that is under way.
    await gc(p, true);
    const passes = (): string | undefined => p.registry.readFact('collected_at');
    const first = passes();
    p.clock.advance(HOUR - 1);
    expect(passes()).toBe(first);
    p.clock.advance(1);
    await eventually('a second pass', () => passes() !== first);
  });
});

describe('deleting', () => {
  async function closed(p: TestPorter, text: string): Promise<void> {
    await make(p, text);
    p.registry.setStatus(session(text), 'closed', p.clock.now(), 'operator');
  }

  it('L4: a week after it was closed it is gone, rows and folder', async () => {
    const p = open();
    await closed(p, 'g/a');
    p.clock.advance(7 * DAY);
    expect(did(await gc(p))).toEqual([]);
    p.clock.advance(1);
    const listed = await gc(p, true);
    expect(did(listed)).toEqual(['g/a delete closed']);
    expect(listed.actions[0]).toMatchObject({ path: p.paths('g/a').session });
    expect(listed.actions[0]?.bytes).toBeGreaterThan(8_192);
    expect(existsSync(p.paths('g/a').session)).toBe(true);
    expect((await gc(p)).actions).toEqual(listed.actions);
    expect(p.registry.findSession(session('g/a'))).toBeUndefined();
    expect(existsSync(p.paths('g/a').session)).toBe(false);
    expect(existsSync(join(p.paths('g/a').group, '.removed'))).toBe(false);
    expect(p.registry.removals(10)).toEqual([]);
  });

  it('L4: also where its folder went with all of its group', async () => {
    const p = open();
    await closed(p, 'g/a');
    rmSync(p.paths('g/a').group, { recursive: true });
    p.clock.advance(7 * DAY + 1);
    expect(did(await gc(p))).toEqual(['g/a delete closed']);
  });

  it('L4: never in the pass that closes it', async () => {
    const p = open({ settings: { SESSION_CLOSE_AFTER_MS: '1h', SESSION_DELETE_AFTER_MS: 1 } });
    await make(p, 'g/a');
    p.clock.advance(30 * DAY);
    expect(did(await gc(p))).toEqual(['g/a close idle']);
    p.clock.advance(2);
    expect(did(await gc(p))).toEqual(['g/a delete closed']);
  });

  it('L4: a crash between rows and folder is finished by a later pass', async () => {
    const p = open();
    await closed(p, 'g/a');
    p.registry.deleteSession(session('g/a'), p.clock.now());
    await p.restart();
    expect(existsSync(p.paths('g/a').session)).toBe(true);
    await gc(p);
    expect(existsSync(p.paths('g/a').session)).toBe(false);
    expect(p.registry.removals(10)).toEqual([]);
  });

  it('L4: a new session of the same name finds nothing of the old one, also after a crash in between', async () => {
    const p = open();
    p.send('g/a', 'old');
    await p.round();
    p.ack('g/a', 'old', 'completed');
    await p.look('g/a');
    p.runtime.exit(session('g/a'), { exitCode: 0 });
    await p.look('g/a');
    p.registry.setStatus(session('g/a'), 'closed', p.clock.now(), 'operator');
    p.registry.deleteSession(session('g/a'), p.clock.now());
    p.send('g/a', 'new');
    await p.round();
    expect(p.message('g/a', 'old')).toBeUndefined();
    expect(p.message('g/a', 'new')).toBeDefined();
  });

  it('L4: a clock that leapt deletes nothing for one pass, unless an operator asks', async () => {
    const p = open();
    await closed(p, 'g/a');
    p.upkeep.start();
    p.clock.advance(5_000);
    await eventually('a first pass', () => p.registry.readFact('collected_at') !== undefined);
    const before = p.registry.readFact('collected_at');
    p.clock.jump(365 * DAY);
    p.clock.advance(HOUR);
    await eventually('a second pass', () => p.registry.readFact('collected_at') !== before);
    expect(statusOf(p, 'g/a')).toBe('closed');
    p.clock.advance(HOUR);
    await eventually('it is deleted', () => statusOf(p, 'g/a') === undefined);
  });

  it('L26: a message to a session that was closed as idle opens it again, one by one or in a batch; an operator decides for good', async () => {
    const p = open();
    const api = deskApi(deskOf(p));
    for (const name of ['g/a', 'g/b', 'g/c']) await make(p, name);
    p.clock.advance(DAY + 1);
    await api.changeSession('g/c', 'close');
    expect(did(await gc(p))).toEqual(['g/a close idle', 'g/b close idle']);
    await api.send({ session: 'g/a', text: 'x', id: 'm1' });
    const lines = Readable.from([Buffer.from('{"session": "g/b", "text": "x", "id": "m1"}\n')]);
    expect(await api.sendBatch(lines, undefined)).toMatchObject({ accepted: 1 });
    await expect(api.send({ session: 'g/c', text: 'x' })).rejects.toThrow('session g/c is closed');
    for (const name of ['g/a', 'g/b']) {
      expect(p.registry.findSession(session(name))).toMatchObject({
        status: 'active',
        closedAtMs: null,
        closeReason: null,
      });
    }
    expect(p.registry.totals().sessions).toMatchObject({ active: 2, closed: 1 });
  });

  it('L26: until it is deleted a closed session is opened again with all it had; lists hide it unless asked', async () => {
    const p = open({ settings: { KEEP_COMPLETED_DAYS: 0 } });
    const api = deskApi(deskOf(p));
    const listed = async (all: boolean): Promise<number> => {
      let count = 0;
      for await (const row of api.sessions({ closed: all })) if ('row' in row) count += 1;
      return count;
    };
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    p.runtime.exit(session('g/a'), { exitCode: 0 });
    await p.look('g/a');
    p.clock.advance(2 * DAY);
    expect(did(await gc(p))).toEqual(['g/a close idle']);
    expect([await listed(false), await listed(true)]).toEqual([0, 1]);
    p.clock.advance(7 * DAY);
    await api.changeSession('g/a', 'reopen');
    expect(await listed(false)).toBe(1);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    expect(await api.send({ session: 'g/a', text: 'again', id: 'm2' })).toMatchObject({ duplicate: false });
    await api.changeSession('g/a', 'close');
    p.clock.advance(7 * DAY + 1);
    await p.round();
    for (const { session: address } of p.rounds.state().running) p.runtime.exit(address, { exitCode: 0 });
    await p.look('g/a');
    expect(did(await gc(p))).toEqual(['g/a delete closed']);
    await expect(api.changeSession('g/a', 'reopen')).rejects.toThrow('there is no session g/a');
  });

  it('L9: what becomes active while it is looked at is not closed', async () => {
    let isArmed = false;
    const p = open({
      ports: (ports) => ({
        ...ports,
        files: new Proxy(ports.files, {
          get(files, name) {
            const member: unknown = Reflect.get(files, name, files);
            if (typeof member !== 'function') return member;
            return async (...args: readonly unknown[]): Promise<unknown> => {
              const answer: unknown = await Reflect.apply(member, files, args);
              if (name === 'look' && isArmed) porter.send('g/a', 'late');
              return answer;
            };
          },
        }),
      }),
    });
    await make(p, 'g/a');
    p.clock.advance(2 * DAY);
    isArmed = true;
    expect(did(await gc(p))).toEqual([]);
    isArmed = false;
    expect(statusOf(p, 'g/a')).toBe('active');
  });
});

it('L5: pinned and suspended sessions are neither closed nor deleted, whatever their age', async () => {
  const p = open();
  for (const name of ['pinned', 'suspended', 'closed-and-pinned']) await make(p, `g/${name}`);
  p.registry.setPinned(session('g/pinned'), true);
  p.registry.setStatus(session('g/suspended'), 'suspended', p.clock.now(), null);
  p.registry.setStatus(session('g/closed-and-pinned'), 'closed', p.clock.now(), 'operator');
  p.registry.setPinned(session('g/closed-and-pinned'), true);
  p.clock.advance(1_000 * DAY);
  expect(did(await gc(p))).toEqual([]);
});

describe('folders', () => {
  it('L8: a row whose folder vanished is closed with one notice, and opened again with what a backup brings back', async () => {
    const p = open();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await make(p, `g/${name}`);
    renameSync(p.paths('g/a').session, join(dirname(p.paths('g/a').group), 'aside'));
    expect(did(await gc(p, true))).toEqual(['g/a close folder_missing']);
    expect(did(await gc(p))).toEqual(['g/a close folder_missing']);
    expect(did(await gc(p))).toEqual([]);
    expect(p.notices()).toEqual(['folder_missing g/a']);
    expect(p.registry.findSession(session('g/a'))).toMatchObject({ status: 'closed', closeReason: 'folder_missing' });
  });

  it('L8: most folders gone at once are a disk that is not there: nothing is closed', async () => {
    const p = open();
    for (const name of ['a', 'b', 'c', 'd']) await make(p, `g/${name}`);
    const { group } = p.paths('g/a');
    renameSync(group, `${group}-aside`);
    mkdirSync(group);
    expect(did(await gc(p, true))).toEqual([]);
    expect(p.notices()).toEqual([]);
    expect(did(await gc(p))).toEqual([]);
    expect(p.notices()).toEqual(['folder_missing -']);
    rmSync(group, { recursive: true });
    renameSync(`${group}-aside`, group);
    await gc(p, true);
    expect(p.notices()).toEqual(['folder_missing -']);
    await gc(p);
    expect(p.notices()).toEqual([]);
  });

  it('L8: nor where they were idle for long', async () => {
    const p = open();
    for (const name of ['a', 'b', 'c', 'd']) await make(p, `g/${name}`);
    renameSync(p.paths('g/a').group, join(p.dataDir, 'aside'));
    p.clock.advance(2 * DAY);
    expect(did(await gc(p, true))).toEqual([]);
    expect(did(await gc(p))).toEqual([]);
    expect(p.notices()).toEqual(['folder_missing -']);
  });

  it.runIf(hasOtherDisk)(
    'L8: one on another disk cannot be archived: it is kept, and the others are moved',
    async () => {
      const p = open();
      const other = mkdtempSync('/dev/shm/np-other-');
      try {
        mkdirSync(join(p.dataDir, 'sessions'));
        symlinkSync(other, p.paths('g/old').group);
        for (const name of ['g/old', 'h/old']) await p.files.create(session(name));
        // What is written here is as old as the clock says.
        p.clock.jump(Date.now() + 15 * DAY - p.clock.now());
        const listed = await p.upkeep.collect({ dryRun: true, archive: true });
        expect(did(listed)).toEqual(['h/old archive_folder no_session']);
        const done = await p.upkeep.collect({ dryRun: false, archive: true });
        expect(did(done)).toEqual(did(listed));
        expect([listed.kept, done.kept]).toEqual([{ other_disk: 1 }, { other_disk: 1 }]);
        expect(existsSync(p.paths('g/old').inbound)).toBe(true);
      } finally {
        rmSync(other, { recursive: true });
      }
    },
  );

  it('L8: a folder that cannot be archived does not keep others from it', async () => {
    const p = open({
      ports: ({ files, ...ports }) => {
        const archive = files.archive.bind(files);
        files.archive = (address, nowMs) =>
          address === 'g/a' ? Promise.reject(new Error('EIO')) : archive(address, nowMs);
        return { ...ports, files };
      },
    });
    for (const name of ['g/a', 'g/b']) await p.files.create(session(name));
    p.clock.jump(Date.now() + 15 * DAY - p.clock.now());
    const done = await p.upkeep.collect({ dryRun: false, archive: true });
    expect(did(done)).toEqual(['g/b archive_folder no_session']);
    expect(done).toMatchObject({ kept: { failed: 1 }, failures: [] });
  });

  it('L8: folders of no session are archived only when asked, and only if nothing was written for over 14 days', async () => {
    const p = open();
    await make(p, 'g/known');
    for (const name of ['g/old', 'g/recent', 'h/old']) await p.files.create(session(name));
    const age = (name: string, atMs: number): void => {
      const { session: folder, in: inFolder, out, inbound, outbound, host } = p.paths(name);
      for (const path of [inbound, outbound, inFolder, out, host, folder]) {
        if (existsSync(path)) utimesSync(path, atMs / 1000, atMs / 1000);
      }
    };
    const nowMs = p.clock.now();
    for (const name of ['g/known', 'g/old', 'h/old']) age(name, nowMs - 14 * DAY - 1_000);
    age('g/recent', nowMs - 14 * DAY);
    expect(did(await gc(p))).toEqual([]);
    const listed = await p.upkeep.collect({ dryRun: true, archive: true });
    expect(did(listed)).toEqual(['g/old archive_folder no_session', 'h/old archive_folder no_session']);
    expect(existsSync(p.paths('g/old').session)).toBe(true);
    const done = await p.upkeep.collect({ dryRun: false, archive: true });
    expect(did(done)).toEqual(did(listed));
    expect(done.actions[0]).toMatchObject({ to: join(p.dataDir, 'archive/g/old-2026-01-15') });
    expect(existsSync(join(p.dataDir, 'archive/g/old-2026-01-15/in/inbound.db'))).toBe(true);
    expect(['g/known', 'g/old', 'g/recent'].map((name) => existsSync(p.paths(name).session))).toEqual([
      true,
      false,
      true,
    ]);
  });
});
