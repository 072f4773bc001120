import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeadFilter, DeadSelection, DeskApi } from '../../../src/desk/api.js';
import { epochOf } from '../../../src/protocol/address.js';
import type { MessageId, SessionAddress } from '../../../src/protocol/address.js';
import type { ContainerId } from '../../../src/ports/runtime.js';
import { formatInstant } from '../../../src/protocol/times.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { holdWith, runSql } from '../../support/session-files-fixture.js';

const A = 'demo/a' as SessionAddress;
const B = 'demo/b' as SessionAddress;
const OTHER = 'other/a' as SessionAddress;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let fixture: DeskFixture;
let api: DeskApi;

async function open(options: Parameters<typeof openDeskFixture>[0] = {}): Promise<void> {
  await (fixture as DeskFixture | undefined)?.close();
  fixture = openDeskFixture(options);
  api = deskApi(fixture.desk);
}
beforeEach(() => open());
afterEach(() => fixture.close());

const idOf = (text: string): MessageId => text as MessageId;
const inbound = (session: string): string => join(fixture.dataDir, 'sessions', session, 'in/inbound.db');

interface Death {
  readonly errorClass?: string | null;
  readonly reason?: string;
  readonly agoMs?: number;
  readonly attempt?: number;
}

async function dead(session: SessionAddress, id: string, death: Death = {}): Promise<void> {
  const { errorClass = 'fatal', agoMs = HOUR, attempt = 0 } = death;
  await api.send({ session, text: `text of ${id}`, id });
  await fixture.look(session);
  const endedAtMs = Date.now() - agoMs;
  const text = errorClass === null ? 'NULL' : `'${errorClass}'`;
  runSql(
    inbound(session),
    `UPDATE messages_in SET status = 'failed', attempt = ${String(attempt)}, error = 'no', error_class = ${text},
       finished_at = '${formatInstant(endedAtMs)}' WHERE id = '${id}'`,
  );
  const reason = death.reason ?? errorClass ?? 'unclassed';
  fixture.registry.recordTurnEnds(session, [
    { id: idOf(id), attempt, epoch: epochOf(1), endedAtMs, outcome: 'fail', reason, error: 'no', errorClass },
  ]);
  await fixture.look(session);
}

async function list(filter: DeadFilter = {}): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const line of api.deadLetters(filter)) {
    found.push('row' in line ? `${line.row.session} ${line.row.id}` : line.problem);
  }
  return found;
}

const failed = (session: SessionAddress) => fixture.registry.findSession(session)?.counts.failed;

describe('dead list', () => {
  beforeEach(async () => {
    await dead(A, 'old', { agoMs: 8 * DAY, errorClass: 'tries_spent' });
    await dead(A, 'new', { agoMs: HOUR });
    await dead(B, 'plain', { errorClass: null, agoMs: 2 * DAY });
    await dead(OTHER, 'stale', { errorClass: null, reason: 'stale_active', agoMs: 3 * DAY });
  });

  it.each<[DeadFilter, readonly string[]]>([
    [{}, ['demo/a new', 'demo/a old', 'demo/b plain', 'other/a stale']],
    [{ session: 'demo/a' }, ['demo/a new', 'demo/a old']],
    [{ group: 'demo' }, ['demo/a new', 'demo/a old', 'demo/b plain']],
    [{ group: 'dem' }, []],
    [{ group: 'other', session: 'demo/a' }, []],
    [{ reason: 'stale_active' }, ['other/a stale']],
    [{ reason: 'unclassed' }, ['demo/b plain']],
    [{ errorClass: 'fatal' }, ['demo/a new']],
    [{ olderThan: '7d' }, ['demo/a old']],
    [{ newerThan: '90m' }, ['demo/a new']],
    [{ olderThan: '1d', newerThan: '7d' }, ['demo/b plain', 'other/a stale']],
    [{ limit: 3 }, ['demo/a new', 'demo/a old', 'demo/b plain']],
    [{ limit: 1, group: 'other' }, ['other/a stale']],
  ])('%j', async (filter, expected) => {
    expect(await list(filter)).toEqual(expected);
  });

  it.each<[DeadFilter, RegExp]>([
    [{ olderThan: '7 days' }, /"7 days" is no duration for --older-than/],
    [{ newerThan: '-1d' }, /is no duration/],
    [{ group: 'a/b' }, /is no group/],
    [{ session: 'a-b' }, /is no session address/],
    [{ limit: 0 }, /is no limit/],
  ])('%j is refused', async (filter, message) => {
    await expect(list(filter)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message) as string,
    });
  });

  it('reads the files of no session without dead letters', async () => {
    await api.createSession({ session: 'demo/fine' });
    // Whoever opened it would find it locked.
    const holder = await holdWith(inbound('demo/fine'), 'BEGIN EXCLUSIVE');
    try {
      expect(await list()).toHaveLength(4);
    } finally {
      await holder.kill();
    }
  });
});

describe('dead show', () => {
  const END = { stoppedAtMs: 2_000, signal: null, oomKilled: false, turnsCompleted: 0, fruitless: false };

  function ran(output: string, exitCode: number | null): void {
    const { registry } = fixture;
    const epoch = registry.beginIncarnation(A, { atLeast: epochOf(0), specHash: 'x', atMs: 1, answersMark: 0 });
    registry.confirmStart(A, epoch, 'c1' as ContainerId, 1_000);
    if (exitCode !== null) registry.endIncarnation(A, epoch, { ...END, exitCode, output });
  }

  it('F27: tells the message and how every attempt ended, with exit code and output', async () => {
    await dead(A, 'm1', { attempt: 1 });
    ran('out of cheese\n', 7);
    ran('x'.repeat(70_000), 1);
    fixture.registry.recordTurnEnds(A, [
      {
        ...{ id: idOf('m1'), attempt: 0, epoch: epochOf(1), endedAtMs: 5 },
        outcome: 'retry',
        reason: 'unfinished_turn',
        error: 'e',
        errorClass: null,
      },
      {
        ...{ id: idOf('m1'), attempt: 1, epoch: epochOf(2), endedAtMs: 6 },
        outcome: 'fail',
        reason: 'fatal',
        error: 'no',
        errorClass: 'fatal',
      },
    ]);
    const view = await api.showDead(A, 'm1');
    expect(view).toMatchObject({
      ...{
        session: A,
        id: 'm1',
        status: 'failed',
        kind: 'chat',
        content: { text: 'text of m1' },
        attempt: 1,
        reason: 'fatal',
      },
      ends: [
        {
          ...{ attempt: 0, outcome: 'retry', reason: 'unfinished_turn', epoch: 1, exitCode: 7, signal: null },
          ...{ oomKilled: false, stopReason: null, lastOutput: 'out of cheese\n', running: false },
        },
        { attempt: 1, outcome: 'fail', reason: 'fatal', epoch: 2, exitCode: 1 },
      ],
    });
    expect(view.ends[1]?.lastOutput).toHaveLength(65_536);
    expect(view.can).toEqual([
      'nightporter dead retry demo/a m1: try it again, as a new attempt with all its tries',
      'nightporter dead purge demo/a m1: hide it from lists and counts',
    ]);
  });

  it('asks the container that still runs for its output', async () => {
    const logs = (id: string): Promise<string> => Promise.resolve(`said by ${id}`);
    await open({ runtime: { kind: 'process', list: () => Promise.resolve([]), logs } });
    await dead(A, 'm1');
    ran('', null);
    const { ends } = await api.showDead(A, 'm1');
    expect(ends).toMatchObject([{ running: true, exitCode: null, lastOutput: 'said by c1' }]);
  });

  it('shows what is not dead any more, and finds nothing else', async () => {
    await api.send({ session: A, text: 'x', id: 'm1' });
    await fixture.look(A);
    expect(await api.showDead(A, 'm1')).toMatchObject({ status: 'pending', reason: null, ends: [], can: [] });
    await expect(api.showDead(A, 'none')).rejects.toMatchObject({ code: 'not_found' });
    await expect(api.showDead('demo/none', 'm1')).rejects.toMatchObject({ code: 'not_found' });
    fixture.registry.setQuarantine(A, { file: 'f', detail: 'd', sinceMs: 1 });
    await expect(api.showDead(A, 'm1')).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('dead retry', () => {
  const requests = (session = A) =>
    fixture.registry.replays(session).map(({ id, attempt }) => `${id} ${String(attempt)}`);

  it('asks durably for named ones, hints at their session, and says which attempt comes', async () => {
    await dead(A, 'm1', { attempt: 3 });
    await dead(A, 'm2');
    fixture.rounds.hints.length = 0;
    expect(await api.retryDead({ session: A, ids: ['m1', 'm2', 'm1'] })).toEqual({
      dryRun: false,
      retried: [
        { session: A, id: 'm1', attempt: 4, waits: null },
        { session: A, id: 'm2', attempt: 1, waits: null },
      ],
      problems: [],
    });
    expect(requests()).toEqual(['m1 3', 'm2 0']);
    expect(fixture.rounds.hints).toEqual([A]);
    expect(fixture.registry.dueSessions(Date.now(), 9)).toContain(A);
    for await (const line of api.deadLetters({ session: A })) {
      expect(line).toMatchObject({ row: { replayRequestedAt: expect.any(String) as string } });
    }
  });

  it('refuses what is not dead, all or nothing, and says what it is', async () => {
    await dead(A, 'm1');
    await api.send({ session: A, text: 'x', id: 'm2' });
    await fixture.look(A);
    await expect(api.retryDead({ session: A, ids: ['m1', 'm2'] })).rejects.toMatchObject({
      code: 'refused',
      message: 'message "m2" of demo/a is not dead: it is pending and has its turn yet',
    });
    runSql(inbound(A), "UPDATE messages_in SET status = 'completed' WHERE id = 'm2'");
    await expect(api.retryDead({ session: A, ids: ['m2'] })).rejects.toMatchObject({ code: 'refused' });
    await expect(api.retryDead({ session: A, ids: ['none'] })).rejects.toMatchObject({ code: 'not_found' });
    await expect(api.retryDead({ session: 'demo/none', all: true })).rejects.toMatchObject({ code: 'not_found' });
    expect(requests()).toEqual([]);
  });

  it('takes the same filters, session by session; a dry run only lists', async () => {
    await dead(A, 'm1', { reason: 'stale_active' });
    await dead(B, 'm2', { reason: 'stale_active' });
    await dead(B, 'm3');
    expect(await api.retryDead({ reason: 'stale_active', dryRun: true })).toMatchObject({
      dryRun: true,
      retried: [{ session: A }, { session: B, id: 'm2' }],
    });
    expect(requests(A)).toEqual([]);
    expect((await api.retryDead({ reason: 'stale_active' })).retried).toHaveLength(2);
    expect([requests(A), requests(B)]).toEqual([['m1 0'], ['m2 0']]);
    expect((await api.retryDead({ all: true, group: 'demo' })).retried).toHaveLength(3);
  });

  it.each<[DeadSelection]>([[{}], [{ session: 'demo/a' }], [{ group: 'demo' }], [{ limit: 3 }], [{ purged: true }]])(
    '%j says neither which ones nor --all: refused',
    async (selection) => {
      await dead(A, 'm1');
      for (const answer of [api.retryDead(selection), api.purgeDead(selection)]) {
        await expect(answer).rejects.toMatchObject({
          code: 'usage',
          message: expect.stringContaining('no id and no --all') as string,
        });
      }
    },
  );

  it('refuses ids without a session, or with filters', async () => {
    await expect(api.retryDead({ ids: ['m1'] })).rejects.toMatchObject({ code: 'usage' });
    await expect(api.retryDead({ session: A, ids: ['m1'], all: true })).rejects.toMatchObject({ code: 'usage' });
    await expect(api.retryDead({ session: A, ids: ['m1'], reason: 'x' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('says what a session waits for, and refuses a closed one', async () => {
    await dead(A, 'm1');
    const waits = async () => (await api.retryDead({ session: A, ids: ['m1'] })).retried[0]?.waits;
    const { registry } = fixture;
    registry.setStatus(A, 'suspended', 1, null);
    expect(await waits()).toBe('suspended');
    registry.setStatus(A, 'active', 1, null);
    registry.saveGuard(A, { ...registry.guard(A), heldSinceMs: 1, holdReason: 'oom_kills' });
    expect(await waits()).toBe('held');
    registry.setQuarantine(A, { file: 'f', detail: 'd', sinceMs: 1 });
    expect(await waits()).toBe('quarantined');
    await expect(api.retryDead({ session: A, ids: ['m9'] })).rejects.toMatchObject({ code: 'refused' });
    expect(registry.guard(A)).toMatchObject({ heldSinceMs: 1 });
    registry.setQuarantine(A, null);
    registry.setStatus(A, 'closed', 1, 'operator');
    await expect(api.retryDead({ session: A, ids: ['m1'] })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"nightporter session reopen demo/a" first') as string,
    });
    await dead(B, 'm2');
    expect(await api.retryDead({ all: true })).toMatchObject({
      retried: [{ session: B }],
      problems: [expect.stringContaining('session demo/a is closed') as string],
    });
  });

  it('waits for the daemon where none runs', async () => {
    await open({ daemon: false });
    await dead(A, 'm1');
    expect(await api.retryDead({ session: A, ids: ['m1'] })).toMatchObject({ retried: [{ waits: 'no_daemon' }] });
    expect(requests()).toEqual(['m1 0']);
  });

  it('takes more sessions than go into one commit', { timeout: 120_000 }, async () => {
    for (let n = 0; n < 3; n += 1) {
      const session = `demo/s${String(n)}` as SessionAddress;
      const lines = Array.from(
        { length: 300 },
        (_, id) => `{"session":"${session}","text":"x","id":"m${String(id)}"}\n`,
      );
      await api.sendBatch(chunk(lines.join('')), undefined);
      await fixture.look(session);
      runSql(inbound(session), "UPDATE messages_in SET status = 'failed'");
      await fixture.look(session);
    }
    expect((await api.retryDead({ all: true })).retried).toHaveLength(900);
    expect(requests('demo/s2' as SessionAddress)).toHaveLength(300);
  });
});

async function* chunk(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

describe('dead purge', () => {
  it('hides by id and by filter, from lists and every count, and retry brings one back', async () => {
    await dead(A, 'm1', { agoMs: 8 * DAY });
    await dead(A, 'm2');
    await dead(B, 'm3', { agoMs: 8 * DAY });
    fixture.registry.raise({ kind: 'dead_letter', session: B, text: 'x', atMs: 1 });
    expect(await api.purgeDead({ olderThan: '7d', dryRun: true })).toMatchObject({
      purged: [{ id: 'm1' }, { id: 'm3' }],
    });
    expect(await list()).toHaveLength(3);
    expect(await api.purgeDead({ olderThan: '7d' })).toMatchObject({
      dryRun: false,
      purged: [
        { session: A, id: 'm1' },
        { session: B, id: 'm3' },
      ],
      problems: [],
    });
    expect(await list()).toEqual(['demo/a m2']);
    expect(await list({ purged: true })).toEqual(['demo/a m2', 'demo/a m1', 'demo/b m3']);
    expect([failed(A), failed(B)]).toEqual([1, 0]);
    expect((await api.status()).messages.failed).toBe(1);
    expect(fixture.registry.openNotices(9)).toEqual([]);
    expect((await api.showSession(B)).messages.failed).toBe(0);
    await fixture.look(B);
    expect(failed(B)).toBe(0);
    expect(await list({ purged: true, group: 'demo' })).toHaveLength(3);

    expect(await api.showDead(B, 'm3')).toMatchObject({ purgedAt: expect.any(String) as string });
    expect((await api.showDead(B, 'm3')).can).toHaveLength(1);
    expect(await api.retryDead({ session: B, ids: ['m3'] })).toMatchObject({ retried: [{ id: 'm3' }] });
    expect((await api.retryDead({ all: true, group: 'demo' })).retried).toMatchObject([{ id: 'm2' }]);
  });

  it('by id refuses what is not dead, or about to be tried again, and is no error twice', async () => {
    await dead(A, 'm1');
    await dead(A, 'm2');
    await api.send({ session: A, text: 'x', id: 'm3' });
    await fixture.look(A);
    await expect(api.purgeDead({ session: A, ids: ['m1', 'm3'] })).rejects.toMatchObject({ code: 'refused' });
    expect(await api.purgeDead({ session: A, ids: ['m1'] })).toMatchObject({ purged: [{ id: 'm1' }] });
    expect(await api.purgeDead({ session: A, ids: ['m1'] })).toMatchObject({ purged: [] });
    await api.retryDead({ session: A, ids: ['m2'] });
    await expect(api.purgeDead({ session: A, ids: ['m2'] })).rejects.toMatchObject({ code: 'refused' });
    expect((await api.purgeDead({ session: A, all: true })).purged).toEqual([]);
    fixture.registry.setQuarantine(A, { file: 'f', detail: 'd', sinceMs: 1 });
    await expect(api.purgeDead({ session: A, ids: ['m1'] })).rejects.toMatchObject({ code: 'refused' });
  });

  it('purges nothing that ended after it was counted', async () => {
    await dead(A, 'm1');
    const { asOf } = await api.purgeDead({ all: true, dryRun: true });
    await dead(A, 'm2', { agoMs: -1_000 });
    expect((await api.purgeDead({ all: true, until: asOf })).purged).toMatchObject([{ id: 'm1' }]);
  });
});

describe('F24: an id that is sent again', () => {
  it('with the same content is the message that exists, whatever became of it; with other content it is refused', async () => {
    await dead(A, 'm1');
    expect(await api.send({ session: A, text: 'text of m1', id: 'm1' })).toEqual({
      session: A,
      id: 'm1',
      duplicate: true,
    });
    await fixture.look(A);
    expect(await list()).toEqual(['demo/a m1']);
    await expect(api.send({ session: A, text: 'other', id: 'm1' })).rejects.toMatchObject({ code: 'refused' });
    await api.purgeDead({ session: A, ids: ['m1'] });
    expect(await api.send({ session: A, text: 'text of m1', id: 'm1' })).toMatchObject({ duplicate: true });
  });
});
