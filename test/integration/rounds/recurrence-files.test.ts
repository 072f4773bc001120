import Database from 'better-sqlite3';
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { TestPorter, session } from '../../support/porter.js';
import { inbound, liveRows, rowsOf, sendSeries, workOff } from '../../support/series.js';
import { utc } from '../../support/wall-times.js';

let porter: TestPorter;
afterEach(() => porter.close());

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** A session whose inbound.db another host wrote, without the columns that are ours alone. */
async function foreign(rows: string, { lacking = '' }: { readonly lacking?: string } = {}): Promise<TestPorter> {
  porter = new TestPorter();
  const p = porter;
  p.clock.jump(utc('2026-01-15 08:59') - p.clock.now());
  p.registry.createSession({ address: session('g/a'), group: 'g', createdAtMs: p.clock.now() } as never);
  await p.files.create(session('g/a'));
  rmSync(p.paths('g/a').inbound);
  const db = new Database(p.paths('g/a').inbound);
  const columns = ['platform_id', 'channel_type', 'thread_id', 'source_session_id'].filter((name) => name !== lacking);
  db.exec(
    `CREATE TABLE messages_in (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, kind TEXT NOT NULL, timestamp TEXT NOT NULL,
       status TEXT DEFAULT 'pending', process_after TEXT, recurrence TEXT, series_id TEXT, tries INTEGER DEFAULT 0,
       trigger INTEGER NOT NULL DEFAULT 1, ${columns.map((name) => `${name} TEXT`).join(', ')}, content TEXT NOT NULL,
       on_wake INTEGER NOT NULL DEFAULT 0);
     INSERT INTO messages_in (id, seq, kind, timestamp, process_after, recurrence, series_id, status, content) VALUES ${rows}`,
  );
  db.close();
  p.registry.lowerNextDue(session('g/a'), p.clock.now());
  return p;
}

/** An ack as a foreign runner writes it. */
function foreignAck(p: TestPorter, id: string, status: string): void {
  p.write(
    'g/a',
    'INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed) VALUES (?, ?, ?)',
    ...[id, status, new Date(p.clock.now()).toISOString().slice(0, 19).replace('T', ' ')],
  );
}

describe('rows of another host, without occurrence, series or zone', () => {
  it.each([
    ['without a series', 'NULL'],
    ['with one', "'task'"],
  ])('go on as a series of their own: %s', async (_what, series) => {
    const p = await foreign(
      `('task', 2, 'task', '2026-01-14 10:00:00', '2026-01-15 09:00:00', '0 9 * * *', ${series}, 'pending', '{}')`,
    );
    await p.round();
    await p.pass(MINUTE);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    foreignAck(p, 'task', 'processing');
    await p.look('g/a');
    foreignAck(p, 'task', 'completed');
    await p.look('g/a');
    const next = { recurrence: '0 9 * * *', series_id: 'task', timezone: null, status: 'pending' };
    expect(rowsOf(p, 'g/a')).toMatchObject([
      { id: 'task', status: 'completed', recurrence: null },
      { ...next, id: 'task@20260116T090000Z', occurrence: '2026-01-16T09:00:00.000Z' },
    ]);
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    p.clock.jump(3 * DAY);
    await p.round();
    expect(liveRows(p, 'g/a')).toMatchObject([{ ...next, occurrence: '2026-01-18T09:00:00.000Z' }]);
    expect(await workOff(p, 'g/a')).toEqual(['2026-01-18T09:00:00.000Z']);
    expect(liveRows(p, 'g/a')).toMatchObject([{ occurrence: '2026-01-19T09:00:00.000Z' }]);
  });

  it('go on where the file lacks a column that only routes', async () => {
    const p = await foreign(
      `('task', 2, 'task', '2026-01-14 10:00:00', '2026-01-15 08:00:00', '0 * * * *', 'task', 'pending', '{}')`,
      { lacking: 'source_session_id' },
    );
    await p.round();
    expect(await workOff(p, 'g/a')).toEqual(['task']);
    expect(liveRows(p, 'g/a')).toMatchObject([{ occurrence: '2026-01-15T09:00:00.000Z' }]);
  });

  it('a bad expression is retired with one notice, and its row runs once more', async () => {
    const p = await foreign(
      `('task', 2, 'task', '2026-01-14 10:00:00', '2026-01-15 08:00:00', '0 0 9 * * *', 'task', 'pending', '{}')`,
    );
    await p.round();
    await p.round();
    expect(p.notices()).toEqual(['series_retired g/a']);
    expect(await workOff(p, 'g/a')).toEqual(['task']);
    await p.round();
    expect(rowsOf(p, 'g/a')).toMatchObject([{ status: 'completed', recurrence: null }]);
  });

  it('two live rows of a series: the earliest goes on, the rest run once at most, one notice', async () => {
    const p = await foreign(
      `('late', 2, 'task', '2026-01-14 10:00:00', '2026-01-15 08:30:00', '0 9 * * *', 'task', 'pending', '{}'),
       ('early', 4, 'task', '2026-01-14 10:00:00', '2026-01-15 08:00:00', '0 9 * * *', 'task', 'pending', '{}'),
       ('paused', 6, 'task', '2026-01-14 10:00:00', '2026-01-16 08:00:00', '0 9 * * *', 'task', 'paused', '{}'),
       ('done', 8, 'task', '2026-01-14 10:00:00', '2026-01-14 08:00:00', '0 9 * * *', 'task', 'completed', '{}')`,
    );
    await p.round();
    for (const id of ['late', 'early']) {
      p.ack('g/a', id, 'completed');
      await p.look('g/a');
    }
    expect(p.notices()).toEqual(['duplicate_series g/a']);
    expect(liveRows(p, 'g/a')).toMatchObject([{ id: 'task@20260115T090000Z', occurrence: '2026-01-15T09:00:00.000Z' }]);
    expect(rowsOf(p, 'g/a').map(({ id, status }) => `${id} ${status}`)).toEqual([
      'late completed',
      'early completed',
      'paused paused',
      'done completed',
      'task@20260115T090000Z pending',
    ]);
  });

  it('a row without a series beside another that carries its id: both end, one goes on', async () => {
    const p = await foreign(
      `('task', 2, 'task', '2026-01-14 10:00:00', '2026-01-15 08:00:00', '0 9 * * *', NULL, 'pending', '{}'),
       ('other', 4, 'task', '2026-01-14 10:00:00', '2026-01-15 08:00:00', '0 9 * * *', 'task', 'pending', '{}')`,
    );
    await p.round();
    p.ack('g/a', 'task', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'task')).toMatchObject({ status: 'completed' });
    p.ack('g/a', 'other', 'completed');
    await p.look('g/a');
    expect(liveRows(p, 'g/a')).toMatchObject([{ series_id: 'task', occurrence: '2026-01-15T09:00:00.000Z' }]);
  });
});

describe('an occurrence that stands in the file already', () => {
  async function off(missed: 'latest' | 'skip'): Promise<TestPorter> {
    porter = new TestPorter();
    const p = porter;
    p.clock.jump(utc('2026-01-15 08:59') - p.clock.now());
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', missed });
    p.send('g/a', 'other');
    await p.round();
    await workOff(p, 'g/a');
    inbound(
      p,
      'g/a',
      `INSERT INTO messages_in (id, seq, kind, timestamp, status, series_id, occurrence, content) VALUES
         ('had', 100, 'chat', '2026-01-17T09:00:00Z', 'completed', 's', '2026-01-17T09:00:00.000Z', '{}')`,
    );
    return p;
  }

  it('keeps neither its session nor its series from going on when the live row moves there', async () => {
    for (const [missed, hours] of [
      ['latest', 49],
      ['skip', 47],
    ] as const) {
      const p = await off(missed);
      p.clock.jump(hours * 60 * MINUTE);
      p.send('g/a', 'urgent');
      const report = await p.round();
      expect(report.errors).toBe(0);
      expect(p.running()).toEqual(['g/a']);
      expect(liveRows(p, 'g/a')).toHaveLength(1);
      if (missed === 'latest') await p.close();
    }
  });

  it('is not made a second time by a row that ends', async () => {
    const p = await off('latest');
    inbound(p, 'g/a', "UPDATE messages_in SET occurrence = '2026-01-16T09:00:00.000Z' WHERE id = 's'");
    p.clock.jump(DAY + 2 * MINUTE);
    await p.round();
    expect(await workOff(p, 'g/a')).toEqual(['2026-01-16T09:00:00.000Z']);
    expect(liveRows(p, 'g/a')).toHaveLength(1);
    expect(rowsOf(p, 'g/a').filter(({ occurrence }) => occurrence === '2026-01-17T09:00:00.000Z')).toHaveLength(1);
  });
});

describe('L18: an occurrence that was moved over a week', () => {
  it('has its own seven days of deferrals', async () => {
    porter = new TestPorter();
    const p = porter;
    sendSeries(p, 'g/a', 's', { cron: '0 9 * * *' });
    await p.round();
    p.clock.jump(10 * DAY);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 's', 'failed', { errorClass: 'rate_limited' });
    await p.look('g/a');
    expect(p.message('g/a', 's')).toMatchObject({ status: 'pending', deferrals: 1 });
  });
});
