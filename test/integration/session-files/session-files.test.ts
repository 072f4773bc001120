import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, MessageId } from '../../../src/protocol/address.js';
import type { MessageChange } from '../../../src/protocol/rows.js';
import type { SettleStep } from '../../../src/ports/session-files.js';
import {
  ackSql,
  DEMO,
  newMessage,
  openFiles,
  OTHER,
  queryRows,
  runSql,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

let fixture: FilesFixture;
beforeEach(() => {
  fixture = openFiles();
});
afterEach(() => fixture.close());

const id = (text: string): MessageId => text as MessageId;
const change = (name: string, set: MessageChange['set'], attempt = 0, tries = 0): MessageChange => ({
  id: id(name),
  expect: { attempt, tries },
  set,
});
const step = (over: Partial<SettleStep>): SettleStep => ({
  epoch: 1 as Epoch,
  changes: [],
  claims: [],
  ackRows: [],
  clear: [],
  nowMs: Date.now(),
  ...over,
});

describe('a session folder', () => {
  it('is made whole, with the link that runners look for, and only once', async () => {
    expect(await fixture.look()).toEqual({ kind: 'missing' });
    expect(await fixture.files.signatures([DEMO])).toEqual([null]);
    expect(await fixture.files.create(DEMO)).toEqual({ kind: 'ok' });
    const paths = fixture.paths();
    expect(readdirSync(paths.in).sort()).toEqual(['inbound.db', 'inbox']);
    expect(readdirSync(paths.out).sort()).toEqual(['inbound.db', 'outbound.db', 'outbox']);
    expect(readlinkSync(paths.inboundLink)).toBe('/nightporter/in/inbound.db');
    expect([paths.session, paths.in, paths.out, paths.host].map((path) => statSync(path).mode & 0o777)).toEqual([
      0o711, 0o755, 0o755, 0o700,
    ]);
    expect(statSync(paths.inbound).mode & 0o777).toBe(0o644);
    const [before] = await fixture.files.signatures([DEMO]);
    expect(await fixture.files.create(DEMO)).toEqual({ kind: 'ok' });
    expect(await fixture.files.signatures([DEMO, OTHER])).toEqual([before, null]);
  });

  it('gives out/ to the owner asked for', async () => {
    if (process.getuid?.() !== 0) return;
    const owned = openFiles({ outOwner: { uid: 12_345, gid: 23_456 } });
    try {
      await owned.files.create(DEMO);
      const paths = owned.paths();
      for (const path of [paths.out, paths.outbound, paths.outbox, paths.inboundLink]) {
        expect(lstatSync(path)).toMatchObject({ uid: 12_345, gid: 23_456 });
      }
      expect(statSync(paths.inbound).uid).toBe(0);
    } finally {
      await owned.close();
    }
  });

  it('is filled again where a file is empty, and deleted as a whole', async () => {
    await fixture.files.create(DEMO);
    writeFileSync(fixture.paths().outbound, '');
    expect(await fixture.look()).toMatchObject({ kind: 'ok', acked: [] });
    expect(await fixture.files.create(DEMO)).toEqual({ kind: 'ok' });
    expect(statSync(fixture.paths().outbound).size).toBeGreaterThan(0);
    expect(await fixture.files.remove(DEMO)).toEqual({ kind: 'ok' });
    expect(existsSync(fixture.paths().session)).toBe(false);
    expect(await fixture.files.remove(DEMO)).toEqual({ kind: 'ok' });
  });

  it('gets its outbound tables before a start when a runner emptied the file', async () => {
    await fixture.files.create(DEMO);
    rmSync(fixture.paths().outbound);
    new Database(fixture.paths().outbound).exec('CREATE TABLE own (a); DROP TABLE own').close();
    writeFileSync(fixture.paths().heartbeat, '');
    expect(await fixture.look()).toMatchObject({ kind: 'ok', heartbeatMtimeMs: expect.any(Number) as number });
    const prepared = await fixture.files.prepareStart(DEMO, { nowMs: Date.now(), lane: 'normal', resumeMaxAgeMs: 0 });
    expect(prepared).toMatchObject({ kind: 'ok', heartbeatMtimeMs: null });
    expect(queryRows(fixture.paths().outbound, "SELECT name FROM sqlite_schema WHERE type = 'table'")).toHaveLength(4);
  });
});

describe('delivering', () => {
  it('is idempotent by id, keeps the order and gives even numbers', async () => {
    const messages = ['c', 'a', 'b'].map((name) => newMessage(name));
    expect(await fixture.files.deliver(DEMO, messages.slice(0, 2))).toMatchObject({ kind: 'ok', inserted: 2 });
    expect(await fixture.files.deliver(DEMO, messages)).toMatchObject({ kind: 'ok', inserted: 1 });
    expect(queryRows(fixture.paths().inbound, 'SELECT id, seq FROM messages_in ORDER BY seq')).toEqual([
      { id: 'c', seq: 2 },
      { id: 'a', seq: 4 },
      { id: 'b', seq: 6 },
    ]);
  });

  it('F24: an id that is known is not put in a second time, and not lost by others in the batch', async () => {
    await fixture.files.deliver(DEMO, [newMessage('a')]);
    await fixture.files.change(DEMO, [change('a', { status: 'completed' })]);
    expect(await fixture.files.deliver(DEMO, [newMessage('a'), newMessage('b')])).toMatchObject({ inserted: 1 });
    expect(await fixture.look()).toMatchObject({ counts: { completed: 1, pending: 1 } });
  });

  it('tells of messages that are given up since others have their ids, not of those that it had delivered', async () => {
    const told: object[] = [];
    const silent = (): void => undefined;
    const log = { debug: silent, info: silent, warn: (fields: object) => told.push(fields), error: silent };
    await fixture.close();
    fixture = openFiles({ log });
    const first = newMessage('a');
    await fixture.files.deliver(DEMO, [first]);
    await fixture.files.change(DEMO, [change('a', { status: 'completed' })]);
    expect(await fixture.files.deliver(DEMO, [first])).toMatchObject({ inserted: 0 });
    expect(told).toEqual([]);
    const other = newMessage('a', { timestampMs: first.timestampMs + 1 });
    expect(await fixture.files.deliver(DEMO, [other, newMessage('b')])).toMatchObject({ inserted: 1 });
    expect(told).toEqual([{ session: DEMO, count: 1, messages: ['a'] }]);
  });

  it('F10: a second live occurrence of a series becomes a message of its own', async () => {
    const series = { seriesId: 's', recurrence: '0 9 * * *', occurrenceMs: 1_000 };
    expect(await fixture.files.deliver(DEMO, [newMessage('a', series), newMessage('b', series)])).toMatchObject({
      inserted: 2,
    });
    expect(queryRows(fixture.paths().inbound, 'SELECT recurrence FROM messages_in ORDER BY seq')).toEqual([
      { recurrence: '0 9 * * *' },
      { recurrence: null },
    ]);
  });

  it('brings an older file up to date: columns, indexes, duplicates', async () => {
    await fixture.files.create(DEMO);
    const { inbound } = fixture.paths();
    rmSync(inbound);
    runSql(
      inbound,
      `CREATE TABLE messages_in (id TEXT PRIMARY KEY, seq INTEGER UNIQUE, kind TEXT NOT NULL, timestamp TEXT NOT NULL,
         status TEXT DEFAULT 'pending', process_after TEXT, recurrence TEXT, series_id TEXT, tries INTEGER DEFAULT 0,
         trigger INTEGER NOT NULL DEFAULT 1, platform_id TEXT, channel_type TEXT, thread_id TEXT, content TEXT NOT NULL,
         source_session_id TEXT, on_wake INTEGER NOT NULL DEFAULT 0);
       INSERT INTO messages_in (id, seq, kind, timestamp, recurrence, series_id, content) VALUES
         ('late', 2, 'task', '2026-01-02 00:00:00', '* * * * *', 's', '{}'),
         ('early', 4, 'task', '2026-01-01T00:00:00Z', '* * * * *', 's', '{}');`,
    );
    expect(await fixture.look()).toMatchObject({ kind: 'ok', due: { dueCount: 2 } });
    expect(await fixture.files.deliver(DEMO, [newMessage('new')])).toMatchObject({ kind: 'ok', inserted: 1 });
    expect(queryRows(inbound, 'SELECT id, recurrence, attempt FROM messages_in ORDER BY seq')).toEqual([
      { id: 'late', recurrence: null, attempt: 0 },
      { id: 'early', recurrence: '* * * * *', attempt: 0 },
      { id: 'new', recurrence: null, attempt: 0 },
    ]);
    expect(queryRows(inbound, "SELECT name FROM sqlite_schema WHERE name = 'one_live_occurrence'")).toHaveLength(1);
  });
});

describe('a look', () => {
  it('tells acked, due, claimed and stray apart', async () => {
    const nowMs = Date.now();
    await fixture.files.deliver(DEMO, [
      newMessage('done'),
      newMessage('claimed'),
      newMessage('due', { timestampMs: nowMs - 5_000 }),
      newMessage('future', { timestampMs: nowMs + 9e9 }),
      newMessage('later', { processAfterMs: nowMs + 60_000 }),
      newMessage('context', { trigger: false }),
      newMessage('paused'),
      newMessage('rearmed'),
    ]);
    await fixture.files.change(DEMO, [change('paused', { status: 'paused' }), change('rearmed', { attempt: 1 })]);
    runSql(
      fixture.paths().outbound,
      ackSql('done', 'completed') +
        ackSql('claimed', 'processing') +
        ackSql('rearmed', 'failed', 0) +
        ackSql('unknown', 'processing', null, '2026-01-01 00:00:00') +
        `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content)
           VALUES ('r1', 1, 'claimed', '2026-01-01', 'chat', '{}');
         INSERT INTO container_state (id, current_tool, updated_at, progress_at) VALUES (1, 'bash', '2026-01-01 00:00:00', 'x')`,
    );
    const look = await fixture.files.look(DEMO, { nowMs, lane: 'normal' });
    if (look.kind !== 'ok') throw new Error(look.kind);
    expect(look.acked.map(({ message, ack, answered }) => [message.id, ack.status, answered])).toEqual([
      ['done', 'completed', false],
      ['claimed', 'processing', true],
      ['rearmed', 'failed', false],
    ]);
    expect(look.strayClaims).toMatchObject([
      { messageId: 'unknown', attempt: null, statusChangedMs: 1_767_225_600_000 },
    ]);
    expect(look.due).toEqual({ dueCount: 3, oldestDueAtMs: nowMs - 5_000, nextDueAtMs: nowMs + 60_000 });
    expect(look.counts).toEqual({ pending: 6, processing: 1, completed: 0, failed: 0, paused: 1 });
    expect(look.answers).toEqual({ count: 1, mark: 1 });
    expect(look.containerState).toMatchObject({ currentTool: 'bash', progressAtMs: null });
    expect(look.newestAck).toMatchObject({ incarnation: 1 });
  });

  it("reads a foreign runner's outbound file that lacks the optional columns", async () => {
    await fixture.files.deliver(DEMO, [newMessage('a')]);
    const { outbound } = fixture.paths();
    rmSync(outbound);
    runSql(
      outbound,
      `CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL);
       CREATE TABLE container_state (id INTEGER PRIMARY KEY CHECK (id = 1), current_tool TEXT, updated_at TEXT NOT NULL);
       CREATE TABLE something_else (x);
       INSERT INTO processing_ack VALUES ('a', 'processing', '2026-01-01 10:00:00')`,
    );
    expect(await fixture.look()).toMatchObject({
      kind: 'ok',
      acked: [{ ack: { attempt: null, incarnation: null, retryAtMs: null } }],
      counts: { processing: 1, pending: 0 },
    });
  });
});

describe('changing', () => {
  it('is all or nothing, by attempt, tries and being unfinished', async () => {
    await fixture.files.deliver(DEMO, [newMessage('a'), newMessage('b')]);
    const stale = [change('a', { status: 'completed' }), change('b', { status: 'completed' }, 1)];
    expect(await fixture.files.change(DEMO, stale)).toMatchObject({ kind: 'ok', written: false });
    expect(await fixture.look()).toMatchObject({ counts: { pending: 2, completed: 0 } });
    const good = [
      change('a', { status: 'failed', error: 'x', errorClass: 'fatal', finishedAtMs: 5_000 }),
      change('b', { tries: 1, attempt: 1, processAfterMs: Date.now() + 60_000 }),
    ];
    expect(await fixture.files.change(DEMO, good)).toMatchObject({
      written: true,
      due: { dueCount: 0 },
      counts: { failed: 1, pending: 1 },
    });
    expect(await fixture.files.change(DEMO, [change('a', { status: 'completed' })])).toMatchObject({ written: false });
    expect(await fixture.files.failed(DEMO, 10)).toMatchObject({
      rows: [{ id: 'a', error: 'x', errorClass: 'fatal', finishedAtMs: 5_000 }],
    });
  });
});

describe('settling', () => {
  it('counts, deletes the named rows and clears the mark', async () => {
    await fixture.files.deliver(DEMO, [newMessage('a'), newMessage('b')]);
    runSql(
      fixture.paths().outbound,
      ackSql('a', 'processing', 0, 't1') + ackSql('x', 'processing', null, 't2') + ackSql('b', 'failed', null, 't3'),
    );
    const claims = [
      { messageId: id('a'), statusChanged: 't1', attempt: 0 },
      { messageId: id('x'), statusChanged: 't2', attempt: null },
    ];
    const changes = [change('a', { tries: 1, attempt: 1, settledClaim: '1:0:t1' }), change('b', { attempt: 1 })];
    const other = step({ changes, claims: claims.slice(0, 1), ackRows: [id('b')] });
    expect(await fixture.files.settle(DEMO, other)).toMatchObject({ kind: 'ok', written: false });
    const settled = await fixture.files.settle(DEMO, step({ changes, claims, ackRows: [id('b')] }));
    expect(settled).toMatchObject({ written: true, due: { dueCount: 2 }, counts: { pending: 2, processing: 0 } });
    expect(queryRows(fixture.paths().outbound, 'SELECT * FROM processing_ack')).toEqual([]);
    expect(queryRows(fixture.paths().inbound, 'SELECT tries, settled_claim FROM messages_in ORDER BY seq')).toEqual([
      { tries: 1, settled_claim: null },
      { tries: 0, settled_claim: null },
    ]);
  });
});

describe('replacing a corrupt file', () => {
  it('moves outbound.db and its journal aside and leaves a fresh one', async () => {
    await fixture.files.deliver(DEMO, [newMessage('a')]);
    writeFileSync(fixture.paths().outbound, 'garbage '.repeat(1_000));
    expect(await fixture.look()).toMatchObject({ kind: 'corrupt', file: 'outbound.db' });
    writeFileSync(`${fixture.paths().outbound}-journal`, 'old');
    const replaced = await fixture.files.replaceCorrupt(DEMO, 'outbound.db');
    if (replaced.kind !== 'ok') throw new Error(replaced.kind);
    expect(replaced.unfinished).toMatchObject([{ id: 'a' }]);
    expect(readFileSync(replaced.movedTo, 'utf8')).toMatch(/^garbage/);
    expect(readFileSync(`${replaced.movedTo}-journal`, 'utf8')).toBe('old');
    expect(await fixture.look()).toMatchObject({ kind: 'ok', due: { dueCount: 1 } });
  });

  it('keeps the messages of inbound.db that can still be read', async () => {
    await fixture.files.deliver(
      DEMO,
      Array.from({ length: 200 }, (_, index) => newMessage(`m${String(index)}`, { content: 'x'.repeat(2_000) })),
    );
    const { inbound } = fixture.paths();
    const bytes = readFileSync(inbound);
    const size = bytes.length;
    bytes.fill(0xff, size / 2, size / 2 + 8_192);
    writeFileSync(inbound, bytes);
    const replaced = await fixture.files.replaceCorrupt(DEMO, 'inbound.db');
    if (replaced.kind !== 'ok') throw new Error(replaced.kind);
    expect(replaced.unfinished.length).toBeGreaterThan(150);
    expect(await fixture.look()).toMatchObject({ kind: 'ok' });
  });
});

describe('replies', () => {
  it('go on from a mark, whole or cut, with a sign for what is not UTF-8', async () => {
    await fixture.files.create(DEMO);
    const insert = (name: string, content: string): string =>
      `INSERT INTO messages_out (id, in_reply_to, timestamp, kind, content)
         VALUES ('${name}', NULL, '2026-01-01 00:00:00', 'chat', ${content});`;
    runSql(
      fixture.paths().outbound,
      insert('a', "'{}'") +
        insert('b', "CAST(x'61ff62' AS TEXT)") +
        insert('c', 'zeroblob(20000000)') +
        insert('d', "'z'"),
    );
    const first = await fixture.files.replies(DEMO, 0, 2);
    expect(first).toMatchObject({
      kind: 'ok',
      mark: 2,
      rows: [
        { id: 'a', content: '{}', timestampMs: 1_767_225_600_000, truncated: false },
        { id: 'b', content: 'a\uFFFDb' },
      ],
    });
    const second = await fixture.files.replies(DEMO, 2, 10);
    expect(second).toMatchObject({ kind: 'ok', mark: 3, rows: [{ id: 'c', truncated: true }] });
    expect(await fixture.files.replies(DEMO, 3, 10)).toMatchObject({ mark: 4, rows: [{ id: 'd' }] });
    expect(await fixture.files.replies(DEMO, 4, 10)).toMatchObject({ mark: 4, rows: [] });
  });
});
