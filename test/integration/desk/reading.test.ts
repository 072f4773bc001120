import { linkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeskApi } from '../../../src/desk/api.js';
import type { RuntimeQuestions } from '../../../src/desk/desk.js';
import type { ReplyView } from '../../../src/desk/views.js';
import { epochOf } from '../../../src/protocol/address.js';
import type { MessageId, SessionAddress } from '../../../src/protocol/address.js';
import type { Container, ContainerId, InstallId } from '../../../src/ports/runtime.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { ackSql, runSql } from '../../support/session-files-fixture.js';

const DEMO = 'demo/first' as SessionAddress;
const ZERO = { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 };

let fixture: DeskFixture;
let api: DeskApi;

async function open(options: Parameters<typeof openDeskFixture>[0] = {}): Promise<void> {
  await (fixture as DeskFixture | undefined)?.close();
  fixture = openDeskFixture(options);
  api = deskApi(fixture.desk);
}

beforeEach(() => open());
afterEach(() => fixture.close());

const outbound = (session = DEMO): string => join(fixture.dataDir, 'sessions', session, 'out/outbound.db');
const inbound = (session = DEMO): string => join(fixture.dataDir, 'sessions', session, 'in/inbound.db');

function answer(id: string, seq: number, content: string, timestamp = '2026-01-02 03:04:05'): void {
  runSql(
    outbound(),
    `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content)
     VALUES ('${id}', ${String(seq)}, 'm1', '${timestamp}', 'chat', CAST(${content} AS TEXT))`,
  );
}

describe('replies', () => {
  beforeEach(() => api.createSession({ session: DEMO }));

  it('gives the answers oldest first, content parsed, times as ISO with Z', async () => {
    answer('a1', 1, `'{"text":"one"}'`);
    answer('a2', 3, `'plain words'`, 'soon');
    const page = await api.replies(DEMO, 0);
    expect(page.rows).toEqual([
      { id: 'a1', inReplyTo: 'm1', timestamp: '2026-01-02T03:04:05.000Z', kind: 'chat', content: { text: 'one' } },
      { id: 'a2', inReplyTo: 'm1', timestamp: null, kind: 'chat', content: { text: 'plain words' } },
    ]);
    answer('a3', 5, `'3'`);
    expect((await api.replies(DEMO, page.mark)).rows).toMatchObject([{ id: 'a3', content: 3 }]);
  });

  it('L25: marks what an earlier attempt at the message answered already; another message, or attempt, is nothing to it', async () => {
    const end = (id: string, attempt: number, at: string) => {
      fixture.desk.registry.recordTurnEnds(DEMO, [
        {
          ...{ id: id as MessageId, attempt, epoch: epochOf(1), endedAtMs: Date.parse(at), outcome: 'retry' },
          ...{ reason: 'unfinished_turn', error: null, errorClass: null },
        },
      ]);
    };
    answer('a1', 1, `'{"text":"one"}'`, '2026-01-02T03:00:00.000Z');
    answer('a2', 3, `'{"text":"one"}'`, '2026-01-02T03:00:01.000Z');
    const page = await api.replies(DEMO, 0);
    end('m1', 0, '2026-01-02T03:00:02.000Z');
    answer('a3', 5, `'{"text":"one"}'`, '2026-01-02T03:00:03.000Z');
    answer('a4', 7, `'{"text": "one"}'`, '2026-01-02T03:00:04.000Z');
    const marks = (rows: readonly ReplyView[]) => rows.map(({ id, duplicate }) => [id, duplicate]);
    expect(marks((await api.replies(DEMO, 0)).rows)).toEqual([
      ...[
        ['a1', undefined],
        ['a2', undefined],
        ['a3', true],
        ['a4', undefined],
      ],
    ]);
    // Also where the earlier one is of a page before.
    expect(marks((await api.replies(DEMO, page.mark)).rows)).toEqual([
      ['a3', true],
      ['a4', undefined],
    ]);
  });

  it('shows an answer that is not UTF-8 with replacement characters', async () => {
    answer('a1', 1, `X'68FF69'`);
    expect((await api.replies(DEMO, 0)).rows).toMatchObject([{ content: { text: 'h\ufffdi' } }]);
  });

  it('is empty before the first message was moved, and not found for no session', async () => {
    await api.send({ session: 'demo/new', text: 'x' });
    expect(await api.replies('demo/new', 0)).toEqual({ rows: [], mark: 0 });
    await expect(api.replies('demo/none', 0)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('reads nothing of a quarantined session, and opens no link (F14)', async () => {
    const elsewhere = join(fixture.dataDir, 'elsewhere.db');
    writeFileSync(elsewhere, '');
    rmSync(outbound());
    symlinkSync(elsewhere, outbound());
    await expect(api.replies(DEMO, 0)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is not opened') as string,
    });
    fixture.registry.setQuarantine(DEMO, { file: 'outbound.db', detail: 'a link', sinceMs: 1 });
    await expect(api.replies(DEMO, 0)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"nightporter session release demo/first"') as string,
    });
  });
});

describe('dead list', () => {
  async function dead(session?: string): Promise<readonly unknown[]> {
    const rows: unknown[] = [];
    for await (const row of api.deadLetters({ session })) rows.push(row);
    return rows;
  }

  async function fail(session: SessionAddress, id: string): Promise<void> {
    await api.send({ session, text: 'x', id });
    await fixture.look(session);
    runSql(
      inbound(session),
      `UPDATE messages_in SET status = 'failed', tries = 5, error = 'gone', error_class = 'retryable',
       finished_at = '2026-01-02T03:04:05Z' WHERE id = '${id}'`,
    );
    await fixture.look(session);
  }

  it('lists the promised fields, and what says more', async () => {
    await fail(DEMO, 'm1');
    await api.createSession({ session: 'demo/fine' });
    expect(await dead()).toEqual([
      {
        row: {
          session: DEMO,
          id: 'm1',
          tries: 5,
          errorClass: 'retryable',
          error: 'gone',
          finishedAt: '2026-01-02T03:04:05.000Z',
          attempt: 0,
          reason: 'retryable',
          purgedAt: null,
          replayRequestedAt: null,
        },
      },
    ]);
    expect(await dead(DEMO)).toHaveLength(1);
    expect(await dead('demo/fine')).toEqual([]);
  });

  it('lists the others when one session cannot be read (F1)', async () => {
    const bad = 'demo/bad' as SessionAddress;
    await fail(bad, 'm1');
    await fail(DEMO, 'm2');
    linkSync(inbound(bad), join(fixture.dataDir, 'second-name'));
    const rows = await dead();
    expect(rows).toHaveLength(2);
    expect(rows).toContainEqual({ problem: expect.stringContaining('inbound.db of demo/bad') as string });
    expect(rows).toContainEqual({ row: expect.objectContaining({ id: 'm2' }) as object });
    await expect(dead(bad)).rejects.toMatchObject({ code: 'refused' });
  });
});

const CONTAINER: Container = {
  id: 'c1' as ContainerId,
  name: 'np-x',
  install: 'i' as InstallId,
  session: DEMO,
  epoch: epochOf(1),
  specHash: 'x',
  state: 'running',
  startedAtMs: 1,
};

function runtime(over: Partial<RuntimeQuestions> = {}): RuntimeQuestions {
  return {
    kind: 'process',
    list: () => Promise.resolve([CONTAINER, { ...CONTAINER, state: 'exited' }]),
    logs: (id, maxBytes) => Promise.resolve(`${id} up to ${String(maxBytes)}`),
    ...over,
  };
}

describe('logs', () => {
  async function begin(): Promise<void> {
    await api.createSession({ session: DEMO });
    const facts = { atLeast: epochOf(0), specHash: 'x', atMs: 1, answersMark: 0 };
    const epoch = fixture.registry.beginIncarnation(DEMO, facts);
    fixture.registry.confirmStart(DEMO, epoch, CONTAINER.id, 1000);
  }
  const END = {
    stoppedAtMs: 2000,
    exitCode: 137,
    signal: null,
    oomKilled: true,
    turnsCompleted: 2,
    output: 'last words',
    fruitless: false,
  };

  it('are those of the container that runs', async () => {
    await open({ runtime: runtime() });
    await begin();
    expect(await api.logs(DEMO)).toMatchObject({ running: true, output: 'c1 up to 262144', incarnation: { epoch: 1 } });
  });

  it('are what was kept of the last one, with its end (F27)', async () => {
    await begin();
    fixture.registry.markStopping(DEMO, epochOf(1), 'stale_and_stuck');
    fixture.registry.endIncarnation(DEMO, epochOf(1), END);
    expect(await api.logs(DEMO)).toEqual({
      session: DEMO,
      running: false,
      output: 'last words',
      incarnation: {
        epoch: 1,
        startedAt: '1970-01-01T00:00:01.000Z',
        stoppedAt: '1970-01-01T00:00:02.000Z',
        stopReason: 'stale_and_stuck',
        exitCode: 137,
        signal: null,
        oomKilled: true,
        turnsCompleted: 2,
      },
    });
  });

  it('are the kept ones when the container ends between the two questions', async () => {
    const logs = (): Promise<string> => {
      fixture.registry.endIncarnation(DEMO, epochOf(1), END);
      return Promise.reject(new Error('no such container'));
    };
    await open({ runtime: runtime({ logs }) });
    await begin();
    expect(await api.logs(DEMO)).toMatchObject({ running: false, output: 'last words' });
  });

  it('are empty before the first start, and unavailable where nobody can be asked', async () => {
    await api.createSession({ session: 'demo/new' });
    expect(await api.logs('demo/new')).toEqual({ session: 'demo/new', running: false, incarnation: null, output: '' });
    await begin();
    await expect(api.logs(DEMO)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('status', () => {
  it('has the promised shape with a daemon', async () => {
    fixture.rounds.current = {
      ...fixture.rounds.current,
      running: [{ session: DEMO, epoch: 1, containerId: 'c1', startedAtMs: 1 }],
      waiting: 3,
      lastSweep: { startedAtMs: 0, durationMs: 1.6, swept: 4, skipped: 5, errors: 6 },
    };
    await api.send({ session: DEMO, text: 'x' });
    fixture.registry.raise({ kind: 'held', session: DEMO, text: 'held', atMs: 1000 });
    expect(await api.status()).toEqual({
      runtime: { kind: 'process', state: 'up', description: 'processes' },
      sessions: { active: 1, suspended: 0, closed: 0, held: 0, quarantined: 0, total: 1 },
      messages: { spooled: 1, ...ZERO },
      containers: { running: 1 },
      waiting: 3,
      draining: false,
      lastSweep: { startedAt: '1970-01-01T00:00:00.000Z', durationMs: 2, swept: 4, skipped: 5, errors: 6 },
      notices: [
        {
          kind: 'held',
          session: DEMO,
          text: 'held',
          count: 1,
          since: '1970-01-01T00:00:01.000Z',
          last: '1970-01-01T00:00:01.000Z',
        },
      ],
      daemon: { running: true, pid: process.pid },
    });
  });

  it('F35: shows notices that the registry could not take, and none twice', async () => {
    const raised = (text: string, atMs: number) => ({ kind: 'disk_full', session: null, text, atMs }) as const;
    fixture.registry.raise(raised('older', 1000));
    fixture.rounds.current = {
      ...fixture.rounds.current,
      unrecordedNotices: [{ ...raised('no space left', 2000), lastAtMs: 3000, count: 2 }],
    };
    expect((await api.status()).notices).toMatchObject([
      { kind: 'disk_full', text: 'no space left', count: 2, since: '1970-01-01T00:00:02.000Z' },
    ]);
  });

  it('works without a daemon from the registry, its facts and a look at the files', async () => {
    await open({ daemon: false, runtime: runtime() });
    fixture.registry.writeFact('runtime', 'process');
    const last = { startedAtMs: 0, durationMs: 1, swept: 1, skipped: 0, errors: 0 };
    fixture.registry.writeFact('last_sweep', JSON.stringify(last));
    await api.send({ session: DEMO, text: 'x', id: 'm1' });
    await fixture.look(DEMO);
    runSql(outbound(), ackSql('m1', 'processing'));
    expect(await api.status()).toMatchObject({
      runtime: { kind: 'process', state: 'up' },
      messages: { spooled: 0, ...ZERO, processing: 1 },
      containers: { running: 1 },
      lastSweep: { swept: 1 },
      daemon: { running: false, pid: null },
    });
  });

  it('says that the runtime is down, and counts by the registry then', async () => {
    await open({ daemon: false, runtime: runtime({ list: () => Promise.reject(new Error('no engine')) }) });
    fixture.registry.writeFact('runtime', 'docker');
    expect(await api.status()).toMatchObject({
      runtime: { kind: 'docker', state: 'down' },
      containers: { running: 0 },
      lastSweep: null,
    });
  });
});

describe('sweep and drain', () => {
  it('pass on the report of the rounds', async () => {
    fixture.rounds.report = {
      ...fixture.rounds.report,
      actions: [{ session: DEMO, action: 'wake', reason: 'due', dueSince: 'x' }],
    };
    expect(await api.sweep({ dryRun: true })).toEqual({
      dryRun: true,
      startedAt: '1970-01-01T00:00:00.000Z',
      durationMs: 2,
      actions: [{ session: DEMO, action: 'wake', reason: 'due', dueSince: 'x' }],
      counts: { swept: 2, skipped: 3, errors: 0, actions: 1 },
    });
    expect(fixture.rounds.sweeps).toEqual([{ dryRun: true }]);
  });

  it('refuse another runtime than the daemon has', async () => {
    await expect(api.sweep({ dryRun: false, runtime: 'docker' })).rejects.toMatchObject({ code: 'refused' });
    await api.sweep({ dryRun: false, runtime: 'process' });
    expect(fixture.rounds.sweeps).toHaveLength(1);
  });

  it('end the daemon once it is drained, and need one', async () => {
    expect(await api.drain()).toEqual({ stopped: 1, interrupted: [] });
    expect(fixture.rounds.stopRequests).toBe(1);
    await open({ daemon: false });
    await expect(api.drain()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
