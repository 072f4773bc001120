import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi, SessionChange } from '../../../src/desk/api.js';
import { epochOf } from '../../../src/protocol/address.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import type { ContainerId } from '../../../src/ports/runtime.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';

const DEMO = 'demo/first' as SessionAddress;

let fixture: DeskFixture;
let api: DeskApi;

beforeEach(() => {
  fixture = openDeskFixture();
  api = deskApi(fixture.desk);
});
afterEach(() => fixture.close());

async function listed(closed = false): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  for await (const row of api.sessions({ closed })) rows.push(row);
  return rows;
}

describe('session create', () => {
  it('makes the row, the folder and both files', async () => {
    expect(await api.createSession({ session: DEMO })).toEqual({
      session: DEMO,
      provider: null,
      command: null,
      image: null,
    });
    for (const file of ['in/inbound.db', 'out/outbound.db']) {
      expect(existsSync(join(fixture.dataDir, 'sessions', DEMO, file))).toBe(true);
    }
    expect(fixture.registry.findSession(DEMO)?.status).toBe('active');
  });

  it('splits --command like a shell and implies its provider', async () => {
    const made = await api.createSession({ session: DEMO, command: `python3 "my agent.py" --name='a b' \\$x` });
    expect(made).toMatchObject({ provider: 'command', command: ['python3', 'my agent.py', '--name=a b', '$x'] });
    expect(fixture.registry.findSession(DEMO)).toMatchObject({ provider: 'command', command: made.command });
  });

  it.each([
    ['a | b', /operator "\|"/],
    ['a > b', /operator ">"/],
    ['a *.txt', /pattern "\*\.txt"/],
    ['a $HOME', /variable \$HOME/],
    ['a # b', /comment/],
    ['', /names no program/],
    ["''", /names no program/],
  ])('refuses --command %j, which needs a shell, and makes nothing', async (command, message) => {
    await expect(api.createSession({ session: DEMO, command })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message) as string,
    });
    expect(await listed()).toEqual([]);
  });

  it('refuses a session that exists, a case twin, another provider beside --command, and an image that is none', async () => {
    await api.createSession({ session: DEMO });
    await expect(api.createSession({ session: DEMO })).rejects.toMatchObject({ code: 'refused' });
    await expect(api.createSession({ session: 'Demo/first' })).rejects.toMatchObject({ code: 'refused' });
    await expect(api.createSession({ session: 'a/b', command: 'x', provider: 'echo' })).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(api.createSession({ session: 'a/b', image: '-rf' })).rejects.toMatchObject({ code: 'usage' });
    expect(await listed()).toHaveLength(1);
  });

  it('makes no row where a link is in the way of the files (F14)', async () => {
    const elsewhere = join(fixture.dataDir, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(join(fixture.dataDir, 'sessions', 'demo'), { recursive: true });
    symlinkSync(elsewhere, join(fixture.dataDir, 'sessions', DEMO));
    await expect(api.createSession({ session: DEMO })).rejects.toThrow();
    expect(await listed()).toEqual([]);
    expect(existsSync(join(elsewhere, 'in'))).toBe(false);
  });
});

describe('session list and show', () => {
  it('lists exactly the promised fields, closed sessions only if asked for', async () => {
    await api.createSession({ session: 'b/b' });
    await api.createSession({ session: 'a/a' });
    await api.changeSession('a/a', 'close');
    const open = {
      session: 'b/b',
      status: 'active',
      pinned: false,
      held: false,
      quarantined: false,
      lastActive: null,
    };
    expect(await listed()).toEqual([{ row: open }]);
    expect(await listed(true)).toEqual([{ row: { ...open, session: 'a/a', status: 'closed' } }, { row: open }]);
  });

  it('tells of hold, quarantine and last activity', async () => {
    await api.send({ session: DEMO, text: 'hello' });
    await fixture.look(DEMO);
    fixture.registry.setQuarantine(DEMO, { file: 'outbound.db', detail: 'a link', sinceMs: 1000 });
    const guard = { ...fixture.registry.guard(DEMO), heldSinceMs: 2000, holdReason: 'oom_kills' as const };
    fixture.registry.saveGuard(DEMO, guard);
    expect(await api.showSession(DEMO)).toMatchObject({
      session: DEMO,
      held: true,
      heldSince: '1970-01-01T00:00:02.000Z',
      holdReason: 'oom_kills',
      quarantined: true,
      quarantine: { file: 'outbound.db', detail: 'a link', since: '1970-01-01T00:00:01.000Z' },
      lastActive: expect.stringMatching(/Z$/) as string,
      messages: { spooled: 0, pending: 1, processing: 0, completed: 0, failed: 0, paused: 0 },
      incarnations: [],
    });
  });

  it('does not find a session that is not there, and names its case twin', async () => {
    await expect(api.showSession(DEMO)).rejects.toMatchObject({ code: 'not_found' });
    await api.createSession({ session: DEMO });
    await expect(api.showSession('demo/FIRST')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('did you mean demo/first?') as string,
    });
  });
});

describe('changes of a session', () => {
  beforeEach(() => api.createSession({ session: DEMO }));

  it.each<[SessionChange, string]>([
    ['suspend', 'suspended'],
    ['close', 'closed'],
    ['pin', 'active'],
  ])('%s is done once and is no error the second time', async (change, status) => {
    expect(await api.changeSession(DEMO, change)).toMatchObject({ session: DEMO, status, changed: true });
    expect(await api.changeSession(DEMO, change)).toMatchObject({ session: DEMO, status, changed: false });
  });

  it('tells the rounds of what changes waking or stopping', async () => {
    for (const change of ['suspend', 'resume', 'close', 'reopen'] as const) await api.changeSession(DEMO, change);
    expect(fixture.rounds.hints).toEqual([DEMO, DEMO, DEMO, DEMO]);
    expect(fixture.registry.findSession(DEMO)?.status).toBe('active');
  });

  it('closes with a reason and forgets it when reopened', async () => {
    await api.changeSession(DEMO, 'close');
    expect(await api.showSession(DEMO)).toMatchObject({
      closeReason: 'operator',
      closedAt: expect.any(String) as string,
    });
    await api.changeSession(DEMO, 'reopen');
    expect(await api.showSession(DEMO)).toMatchObject({ closeReason: null, closedAt: null });
  });

  it('refuses what the state does not allow', async () => {
    await api.changeSession(DEMO, 'suspend');
    await expect(api.changeSession(DEMO, 'reopen')).rejects.toMatchObject({ code: 'refused' });
    await api.changeSession(DEMO, 'close');
    await expect(api.changeSession(DEMO, 'suspend')).rejects.toMatchObject({ code: 'refused' });
    await expect(api.changeSession(DEMO, 'resume')).rejects.toMatchObject({ code: 'refused' });
    await expect(api.changeSession('no/body', 'pin')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('releases hold and quarantine together, settles their notices and looks at once', async () => {
    fixture.registry.setQuarantine(DEMO, { file: 'outbound.db', detail: 'a link', sinceMs: 1000 });
    const guard = {
      ...fixture.registry.guard(DEMO),
      fruitless: 4,
      heldSinceMs: 2000,
      holdReason: 'oom_kills' as const,
    };
    fixture.registry.saveGuard(DEMO, guard);
    for (const kind of ['held', 'quarantined'] as const) {
      fixture.registry.raise({ kind, session: DEMO, text: 'x', atMs: 1 });
    }
    expect(await api.changeSession(DEMO, 'release')).toMatchObject({ changed: true });
    expect(fixture.registry.guard(DEMO)).toMatchObject({ fruitless: 0, heldSinceMs: null });
    expect(fixture.registry.openNotices(10)).toEqual([]);
    const record = fixture.registry.findSession(DEMO);
    expect(record?.quarantine).toBeNull();
    expect(record?.nextDueAtMs).toBeLessThanOrEqual(Date.now());
    expect(fixture.rounds.hints).toContain(DEMO);
    expect(await api.changeSession(DEMO, 'release')).toMatchObject({ changed: false });
  });

  it('deletes a closed session with its folder, and no other (L26)', async () => {
    const folder = join(fixture.dataDir, 'sessions', DEMO);
    await expect(api.changeSession(DEMO, 'delete')).rejects.toMatchObject({ code: 'refused' });
    await api.changeSession(DEMO, 'close');
    expect(existsSync(folder)).toBe(true);
    expect(await api.changeSession(DEMO, 'delete')).toMatchObject({ status: 'deleted', changed: true });
    expect(existsSync(folder)).toBe(false);
    expect(fixture.registry.findSession(DEMO)).toBeUndefined();
  });

  it('does not delete under a container that may run', async () => {
    const epoch = fixture.registry.beginIncarnation(DEMO, {
      atLeast: epochOf(0),
      specHash: 'x',
      atMs: 1,
      answersMark: 0,
    });
    fixture.registry.confirmStart(DEMO, epoch, 'c1' as ContainerId, 1);
    await api.changeSession(DEMO, 'close');
    await expect(api.changeSession(DEMO, 'delete')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('may still run') as string,
    });
  });
});
