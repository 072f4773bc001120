import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ackSql,
  DEMO,
  holdWith,
  newMessage,
  openFiles,
  OTHER,
  queryRows,
  runSql,
  spilledTransaction,
  type FilesFixture,
  type SqlHolder,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
const holders: SqlHolder[] = [];
beforeEach(async () => {
  fixture = openFiles();
  await fixture.files.deliver(DEMO, [newMessage('m')]);
});
afterEach(async () => {
  await Promise.all(holders.splice(0).map((holder) => holder.kill()));
  await fixture.close();
});

async function hold(path: string, sql: string): Promise<SqlHolder> {
  const holder = await holdWith(path, sql);
  holders.push(holder);
  return holder;
}

const SPILL_OUT = spilledTransaction(
  'messages_out',
  `INSERT INTO messages_out (id, timestamp, kind, content) SELECT 'x' || i, '2026', 'chat', hex(zeroblob(500))`,
);
const SPILL_IN = spilledTransaction(
  'messages_in',
  `INSERT INTO messages_in (id, kind, timestamp, content) SELECT 'x' || i, 'chat', '2026', hex(zeroblob(500))`,
);

describe('F2: hot journals', () => {
  it('of a runner that was killed is rolled back before the next start, with no committed row lost', async () => {
    const { outbound } = fixture.paths();
    runSql(outbound, ackSql('m', 'completed'));
    const committed = queryRows(outbound, 'SELECT * FROM processing_ack');
    const holder = await hold(outbound, SPILL_OUT);
    expect(await fixture.look()).toMatchObject({ kind: 'busy' });
    await holder.kill();
    expect(existsSync(`${outbound}-journal`)).toBe(true);
    expect(await fixture.look()).toMatchObject({ kind: 'busy', detail: 'SQLITE_READONLY_ROLLBACK' });
    expect(
      await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'slow', resumeMaxAgeMs: 0 }),
    ).toMatchObject({
      kind: 'ok',
      acked: [{ ack: { status: 'completed' } }],
      answers: { count: 0 },
    });
    expect(await fixture.look()).toMatchObject({ kind: 'ok' });
    expect(queryRows(outbound, 'SELECT * FROM processing_ack')).toEqual(committed);
  });

  it('of a runner that was killed is rolled back by a look that knows that it is gone, never under a live one', async () => {
    const { outbound } = fixture.paths();
    const options = { nowMs: Date.now(), lane: 'normal', containerGone: true } as const;
    const holder = await hold(outbound, SPILL_OUT);
    const journal = readFileSync(`${outbound}-journal`);
    expect(await fixture.files.look(DEMO, options)).toMatchObject({ kind: 'busy' });
    expect(readFileSync(`${outbound}-journal`).equals(journal)).toBe(true);
    await holder.kill();
    expect(await fixture.files.look(DEMO, options)).toMatchObject({ kind: 'ok', answers: { count: 0 } });
    expect(existsSync(`${outbound}-journal`)).toBe(false);
  });

  it('of a live writer is left alone by a look', async () => {
    const { outbound } = fixture.paths();
    await hold(outbound, SPILL_OUT);
    const journal = readFileSync(`${outbound}-journal`);
    const bytes = readFileSync(outbound);
    expect(await fixture.look()).toMatchObject({ kind: 'busy', file: 'outbound.db' });
    expect(readFileSync(`${outbound}-journal`).equals(journal)).toBe(true);
    expect(readFileSync(outbound).equals(bytes)).toBe(true);
  });

  it('of a live writer is not even rolled back by a start that comes too early', async () => {
    const { outbound } = fixture.paths();
    await hold(outbound, SPILL_OUT);
    const journal = readFileSync(`${outbound}-journal`);
    expect(
      await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'slow', resumeMaxAgeMs: 0 }),
    ).toMatchObject({ kind: 'busy' });
    expect(readFileSync(`${outbound}-journal`).equals(journal)).toBe(true);
  });

  it('of a host that was killed is rolled back by the next look', async () => {
    const { inbound } = fixture.paths();
    const holder = await hold(inbound, SPILL_IN);
    await holder.kill();
    expect(existsSync(`${inbound}-journal`)).toBe(true);
    expect(await fixture.look()).toMatchObject({ kind: 'ok', counts: { pending: 1 } });
    expect(existsSync(`${inbound}-journal`)).toBe(false);
  });

  it('of a host that was killed is rolled back by the next delivery', async () => {
    const { inbound } = fixture.paths();
    await (await hold(inbound, SPILL_IN)).kill();
    expect(await fixture.files.deliver(DEMO, [newMessage('n')])).toMatchObject({ kind: 'ok', inserted: 1 });
    expect(queryRows(inbound, 'SELECT id FROM messages_in ORDER BY seq')).toEqual([{ id: 'm' }, { id: 'n' }]);
  });
});

describe('F13: a container that holds a lock', () => {
  it('on outbound.db makes its session busy, nobody else, and not for longer than it holds it', async () => {
    await fixture.files.deliver(OTHER, [newMessage('m')]);
    const holder = await hold(fixture.paths().outbound, 'BEGIN EXCLUSIVE');
    const startedAt = performance.now();
    expect(await fixture.look()).toMatchObject({ kind: 'busy', file: 'outbound.db', detail: 'SQLITE_BUSY' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await fixture.files.change(DEMO, [])).toMatchObject({ kind: 'busy' });
    expect(await fixture.look(OTHER)).toMatchObject({ kind: 'ok' });
    expect(await fixture.files.deliver(DEMO, [newMessage('n')])).toMatchObject({ kind: 'ok', inserted: 1 });
    await holder.kill();
    expect(await fixture.look()).toMatchObject({ kind: 'ok', due: { dueCount: 2 } });
  });

  it('a read of inbound.db held open makes a delivery busy, and it succeeds later', async () => {
    const { inbound } = fixture.paths();
    const holder = await hold(inbound, 'BEGIN; SELECT * FROM messages_in');
    const startedAt = performance.now();
    expect(await fixture.files.deliver(DEMO, [newMessage('n')])).toMatchObject({ kind: 'busy', file: 'inbound.db' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await fixture.look()).toMatchObject({ kind: 'ok', due: { dueCount: 1 } });
    await holder.kill();
    expect(await fixture.files.deliver(DEMO, [newMessage('n')])).toMatchObject({ kind: 'ok', inserted: 1 });
  });

  it('a troubled session waits in its own lane', async () => {
    const slow = openFiles({ deadlineMs: 60_000 });
    try {
      await slow.files.deliver(DEMO, [newMessage('m')]);
      await slow.files.deliver(OTHER, [newMessage('m')]);
      await hold(slow.paths().outbound, 'BEGIN EXCLUSIVE');
      await slow.look();
      const [, laneOfSlow] = slow.workers();
      expect(laneOfSlow).toBeUndefined();
      await slow.look();
      expect(slow.workers()).toHaveLength(2);
      const stopped = slow.workers()[1];
      if (stopped === undefined) throw new Error('no child in the slow lane');
      process.kill(stopped, 'SIGSTOP');
      const held = slow.look();
      expect(await slow.look(OTHER)).toMatchObject({ kind: 'ok' });
      process.kill(stopped, 'SIGCONT');
      expect(await held).toMatchObject({ kind: 'busy' });
    } finally {
      await slow.close();
    }
  });
});
