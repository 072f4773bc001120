import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, MessageId } from '../../../src/protocol/address.js';
import type { MessageChange } from '../../../src/protocol/rows.js';
import { eventually } from '../../support/eventually.js';
import {
  ackSql,
  DEMO,
  holdWith,
  newMessage,
  openFiles,
  queryRows,
  runSql,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
beforeEach(async () => {
  fixture = openFiles();
  await fixture.files.deliver(
    DEMO,
    ['m1', 'm2', 'm3'].map((id) => newMessage(id)),
  );
});
afterEach(() => fixture.close());

const id = (text: string): MessageId => text as MessageId;
const NOW = Date.UTC(2026, 0, 2);

function fail(...ids: readonly string[]): void {
  for (const one of ids) {
    runSql(
      fixture.paths().inbound,
      `UPDATE messages_in SET status = 'failed', attempt = 2, tries = 2, error = 'no', error_class = 'fatal',
         finished_at = '2026-01-01T00:00:00.000Z' WHERE id = '${one}'`,
    );
  }
}

const rowOf = (one: string): Record<string, unknown> =>
  queryRows(fixture.paths().inbound, `SELECT * FROM messages_in WHERE id = '${one}'`)[0] as Record<string, unknown>;
const acks = (): readonly unknown[] =>
  queryRows(fixture.paths().outbound, 'SELECT message_id, status FROM processing_ack');

const REARM: MessageChange = {
  id: id('m1'),
  expect: { attempt: 2, tries: 2, status: 'failed' },
  set: { status: 'pending', attempt: 3, tries: 0, error: null, errorClass: null, finishedAtMs: null, purgedAtMs: null },
};

function replays(...ids: readonly string[]) {
  return fixture.files.look(DEMO, {
    nowMs: NOW,
    lane: 'normal',
    replays: ids.map((one) => ({ id: id(one), attempt: 2 })),
  });
}

describe('a look that is asked about replays', () => {
  it('finds rows that are dead, and their acks however old they are', async () => {
    fail('m1', 'm2');
    runSql(fixture.paths().outbound, ackSql('m1', 'failed', null));
    // More than a look goes through for claims of strangers.
    runSql(
      fixture.paths().outbound,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
       INSERT INTO processing_ack (message_id, status, status_changed) SELECT 'x' || i, 'completed', 'now' FROM n`,
    );
    expect(await replays('m1', 'm2', 'm3', 'none')).toMatchObject({
      kind: 'ok',
      replays: [
        {
          id: 'm1',
          attempt: 2,
          message: { status: 'failed', attempt: 2, tries: 2 },
          ack: { status: 'failed', attempt: null },
        },
        { id: 'm2', attempt: 2, message: { status: 'failed' }, ack: null },
        { id: 'm3', attempt: 2, message: null, ack: null },
        { id: 'none', attempt: 2, message: null, ack: null },
      ],
    });
  });
});

describe('a change of a dead letter', () => {
  it('is written only while it is one', async () => {
    fail('m1');
    expect(await fixture.files.change(DEMO, [REARM])).toMatchObject({
      written: true,
      counts: { pending: 3, failed: 0 },
    });
    expect(rowOf('m1')).toMatchObject({ status: 'pending', attempt: 3, tries: 0, error: null, finished_at: null });
    expect(await fixture.files.change(DEMO, [REARM])).toMatchObject({ written: false });
  });
});

describe("F24: a foreign runner's ended ack", () => {
  const step = {
    epoch: 3 as Epoch,
    changes: [REARM],
    claims: [],
    ackRows: [id('m1')],
    clear: [],
    nowMs: NOW,
  };

  it('is gone before its message is pending again, wherever the host dies', async () => {
    fail('m1');
    runSql(fixture.paths().outbound, ackSql('m1', 'failed', null));
    // A reader keeps the deletion from being committed: nothing of the message may have changed then.
    const reader = await holdWith(fixture.paths().outbound, 'BEGIN; SELECT * FROM processing_ack');
    expect(await fixture.files.settle(DEMO, step)).toMatchObject({ kind: 'busy', file: 'outbound.db' });
    expect(rowOf('m1')).toMatchObject({ status: 'failed', attempt: 2 });
    await reader.kill();
    await fixture.files.prepareStart(DEMO, { nowMs: NOW, lane: 'normal', resumeMaxAgeMs: 0 });
    expect(await fixture.files.settle(DEMO, step)).toMatchObject({ written: true, due: { dueCount: 3 } });
    expect(acks()).toEqual([]);
  });

  it('stays where the message is not as the plan saw it, or the ack is not an ended one', async () => {
    runSql(fixture.paths().outbound, ackSql('m1', 'failed', null));
    expect(await fixture.files.settle(DEMO, step)).toMatchObject({ written: false });
    fail('m1');
    runSql(fixture.paths().outbound, ackSql('m1', 'processing', null, 't1'));
    expect(await fixture.files.settle(DEMO, step)).toMatchObject({ written: false });
    expect(acks()).toHaveLength(1);
    const claim = { messageId: id('m1'), statusChanged: 't1', attempt: null };
    const forget = { ...step, changes: [], ackRows: [], claims: [claim] };
    expect(await fixture.files.settle(DEMO, forget)).toMatchObject({ written: true });
    expect(acks()).toEqual([]);
  });

  it('killed at any moment: never pending with the old ack beside it', { timeout: 120_000 }, async () => {
    fail('m1');
    for (let round = 1; round <= 12; round += 1) {
      runSql(
        fixture.paths().inbound,
        "UPDATE messages_in SET status = 'failed', attempt = 2, tries = 2 WHERE id = 'm1'",
      );
      runSql(fixture.paths().outbound, ackSql('m1', 'failed', null));
      await fixture.look();
      const settling = fixture.files.settle(DEMO, step);
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      for (const pid of fixture.workers()) process.kill(pid, 'SIGKILL');
      await settling;
      await eventually('the files can be read', async () => {
        const made = await fixture.files.prepareStart(DEMO, { nowMs: NOW, lane: 'normal', resumeMaxAgeMs: 0 });
        return made.kind === 'ok';
      });
      expect(rowOf('m1')['status'] === 'pending' && acks().length > 0, `round ${String(round)}`).toBe(false);
    }
  });

  it('F7: a claim over 256 acks ago can be forgotten', async () => {
    fail('m1');
    runSql(fixture.paths().outbound, ackSql('m1', 'processing', null, 't1'));
    runSql(
      fixture.paths().outbound,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
       INSERT INTO processing_ack (message_id, status, status_changed) SELECT 'x' || i, 'completed', 'now' FROM n`,
    );
    const claim = { messageId: id('m1'), statusChanged: 't1', attempt: null };
    expect(await fixture.files.settle(DEMO, { ...step, changes: [], ackRows: [], claims: [claim] })).toMatchObject({
      written: true,
    });
    expect(queryRows(fixture.paths().outbound, "SELECT 1 FROM processing_ack WHERE message_id = 'm1'")).toEqual([]);
  });
});

describe('purging', () => {
  it('hides dead letters and nothing else, and counts what is left', async () => {
    fail('m1', 'm2');
    const purged = await fixture.files.purge(DEMO, ['m1', 'm3', 'none'].map(id), NOW);
    expect(purged).toMatchObject({ purged: ['m1'], failed: 1, hidden: 1 });
    expect(rowOf('m1')).toMatchObject({ status: 'failed', purged_at: '2026-01-02T00:00:00.000Z' });
    expect(await fixture.look()).toMatchObject({ counts: { failed: 1, pending: 1 } });
    expect(await fixture.files.failed(DEMO, 10)).toMatchObject({ rows: [{ id: 'm2', purgedAtMs: null }] });
    const all = await fixture.files.failed(DEMO, 10, { purged: true });
    expect(all.kind === 'ok' && all.rows.map(({ id: one, purgedAtMs }) => [one, purgedAtMs])).toEqual([
      ['m2', null],
      ['m1', NOW],
    ]);
    expect(await fixture.files.purge(DEMO, [id('m1')], NOW + 1)).toMatchObject({ purged: [], failed: 1, hidden: 1 });
  });

  it('a replay brings a hidden one back', async () => {
    fail('m1');
    await fixture.files.purge(DEMO, [id('m1')], NOW);
    expect(await fixture.files.change(DEMO, [REARM])).toMatchObject({ written: true });
    expect(rowOf('m1')).toMatchObject({ status: 'pending', purged_at: null });
  });

  it('adds the column to a file of an older version, which is read without it', async () => {
    fail('m1');
    runSql(fixture.paths().inbound, 'DROP INDEX purged_messages; ALTER TABLE messages_in DROP COLUMN purged_at');
    expect(await fixture.look()).toMatchObject({ counts: { failed: 1 } });
    expect(await fixture.files.failed(DEMO, 10)).toMatchObject({ rows: [{ id: 'm1', purgedAtMs: null }] });
    expect(await fixture.files.message(DEMO, id('m1'))).toMatchObject({ message: { purgedAtMs: null } });
    expect(await fixture.files.states(DEMO, [id('m1')])).toMatchObject({ rows: [{ id: 'm1', purgedAtMs: null }] });
    expect(await fixture.files.purge(DEMO, [id('m1')], NOW)).toMatchObject({ purged: ['m1'] });
  });

  it('counts without reading the rows of a long history', () => {
    const counts = ["status = 'failed'", 'purged_at IS NOT NULL'].map((where) => {
      const sql = `EXPLAIN QUERY PLAN SELECT count(*) FROM messages_in WHERE ${where}`;
      return queryRows(fixture.paths().inbound, sql) as { readonly detail: string }[];
    });
    for (const [step] of counts) expect(step?.detail).toContain('COVERING INDEX');
  });
});

describe('one message', () => {
  it('is read with its content, whatever became of it', async () => {
    fail('m1');
    expect(await fixture.files.message(DEMO, id('m1'))).toMatchObject({
      kind: 'ok',
      message: {
        ...{ id: 'm1', status: 'failed', kind: 'chat', tries: 2, attempt: 2, deferrals: 0, errorClass: 'fatal' },
        ...{ error: 'no', content: '{"text":"m1"}', truncated: false, finishedAtMs: Date.UTC(2026, 0, 1) },
      },
    });
    expect(await fixture.files.message(DEMO, id('m2'))).toMatchObject({ message: { status: 'pending' } });
    expect(await fixture.files.message(DEMO, id('none'))).toMatchObject({ kind: 'ok', message: null });
    expect(await fixture.files.states(DEMO, ['m1', 'm2', 'none', 'm1'].map(id))).toMatchObject({
      rows: [
        { id: 'm1', status: 'failed', attempt: 2 },
        { id: 'm2', status: 'pending', attempt: 0 },
      ],
    });
  });
});
