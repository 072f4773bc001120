import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importNanoclaw } from '../../../src/desk/import/import-nanoclaw.js';
import type { ImportedSessionView, ImportView } from '../../../src/desk/import/import-view.js';
import { sendMessage } from '../../../src/desk/send-message.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { sessionPaths } from '../../../src/store/session-files/session-paths.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { makeSome, readRows, withNanoclaw } from '../../support/nanoclaw-import.js';
import type { Row } from '../../support/nanoclaw-import.js';
import { NanoclawInstallation } from '../../support/nanoclaw-installation.js';

const DAILY = '30 7 * * *';

describe('importing NanoClaw', () => {
  let fixture: DeskFixture;
  let there: NanoclawInstallation;

  beforeEach(() => {
    fixture = openDeskFixture({ attachmentMaxBytes: 1_000, messageMaxBytes: 2_000 });
    there = new NanoclawInstallation();
  });
  afterEach(async () => {
    await fixture.close();
    there.remove();
  });

  const run = (options: { readonly dryRun?: boolean; readonly group?: string } = {}): Promise<ImportView> =>
    importNanoclaw(fixture.desk, { folder: there.root, dryRun: false, ...options });
  const rowsOf = (session: string, table: string): Row[] => readRows(fixture.dataDir, session, table);
  const messageOf = (session: string, id: string): Row | undefined =>
    rowsOf(session, 'messages_in').find((row) => row['id'] === id);
  const onlySession = (view: ImportView): ImportedSessionView => {
    expect(view.sessions).toHaveLength(1);
    const [session] = view.sessions;
    if (session === undefined) throw new Error('no session');
    return session;
  };

  it('brings sessions with what is known of them; closed ones are closed', async () => {
    there.group('ag-1', 'main', { provider: 'command' });
    there.group('ag-2', 'quiet');
    there.session('ag-1', 'sess-1', { thread_id: '7' }).message('m1');
    there.session('ag-2', 'sess-2', { status: 'closed' }).message('m1', { status: 'completed' });
    there.finish();
    const view = await run();
    expect(view.counts).toMatchObject({ brought: 2, known: 0, left: 0, pending: 1, completed: 1 });
    const [main, quiet] = [...fixture.registry.eachSession()];
    expect(main).toMatchObject({
      address: 'main/sess-1',
      status: 'active',
      provider: 'command',
      project: 'Group main',
      title: 'Chat sess-1 7',
      createdAtMs: Date.parse('2026-01-02T03:04:05.000Z'),
      counts: { pending: 1, completed: 0 },
    });
    expect(main?.nextDueAtMs).not.toBeNull();
    expect(quiet).toMatchObject({ address: 'quiet/sess-2', status: 'closed', closeReason: 'imported as closed' });
    expect(quiet?.counts).toMatchObject({ pending: 0, completed: 1 });
    expect(fixture.rounds.hints).toEqual(['main/sess-1', 'quiet/sess-2']);
  });

  it('brings pending messages as they are: claims count as pending, what an ack ended has ended', async () => {
    there.group('ag', 'main');
    const session = there.session('ag', 's');
    const later = '2031-05-06 07:08:09';
    session.message('waits', { process_after: later, tries: 3, trigger: 0, on_wake: 1, source_session_id: 'other' });
    session.message('claimed').ack('claimed', 'processing');
    session.message('done').ack('done', 'completed', '2026-02-03T04:05:06.000Z');
    session.message('gone').ack('gone', 'failed');
    session.message('hidden-failure', { status: 'completed' }).ack('hidden-failure', 'failed');
    session.message('script').ack('script', 'script-skip:error');
    session.message('finished', { status: 'completed' }).message('dead', { status: 'failed' });
    session.message('long', { content: JSON.stringify({ text: 'x'.repeat(2_000) }) });
    there.finish();
    const view = onlySession(await run());
    expect(view.counts).toMatchObject({ pending: 2, completed: 2, failed: 4, series: 0 });
    expect(view.notes).toEqual([note('left', 'a message whose content is over the limit (MESSAGE_MAX_BYTES)', 'long')]);
    expect(messageOf('main/s', 'waits')).toMatchObject({
      ...{
        seq: 2,
        kind: 'chat',
        timestamp: '2026-01-02T03:04:05.000Z',
        status: 'pending',
        tries: 3,
        trigger: 0,
        on_wake: 1,
      },
      ...{ process_after: '2031-05-06T07:08:09.000Z', platform_id: 'tg:1', channel_type: 'telegram', thread_id: '7' },
      ...{ content: '{"sender":"Ann","text":"text of waits"}', series_id: null, recurrence: null, attempt: 0 },
      source_session_id: 'other',
    });
    expect(messageOf('main/s', 'done')).toMatchObject({ status: 'completed', finished_at: '2026-02-03T04:05:06.000Z' });
    expect(messageOf('main/s', 'script')).toMatchObject({ status: 'failed', error: 'failed in NanoClaw' });
    const states = rowsOf('main/s', 'messages_in').map(({ id, status }) => `${String(id)} ${String(status)}`);
    expect(states).toEqual([
      ...['waits pending', 'claimed pending', 'done completed', 'gone failed', 'hidden-failure failed'],
      ...['script failed', 'finished completed', 'dead failed'],
    ]);
  });

  it('brings series with their zone; what has no schedule here is listed', async () => {
    there.group('ag', 'main');
    there.group('ag-ny', 'york', { zone: 'America/New_York' });
    const task = { kind: 'task', content: '{"prompt":"report","script":null}', recurrence: DAILY };
    const at = '2031-01-01T06:30:00.000Z';
    const session = there.session('ag', 's');
    session.message('t0', { ...task, status: 'completed', recurrence: null });
    session.message('t1', { ...task, series_id: 't0', process_after: at }).ack('t1', 'processing');
    session.message('p1', { ...task, status: 'paused', process_after: at });
    session.message('ended', { ...task, status: 'completed', process_after: '2026-01-01T06:30:00Z' });
    session.message('every', { ...task, recurrence: '@every:5000', process_after: at });
    session.message('once', { ...task, recurrence: null, status: 'paused', process_after: at });
    there.session('ag-ny', 's-ny').message('t', { ...task, process_after: at });
    there.finish();
    const view = await run();
    expect(view.counts).toMatchObject({ series: 4, paused: 1, completed: 2 });
    expect(messageOf('main/s', 't1')).toMatchObject({
      ...{ status: 'pending', series_id: 't0', recurrence: DAILY, timezone: 'Europe/Berlin', occurrence: at },
      ...{ process_after: at, missed: 'latest', content: '{"prompt":"report","script":null,"text":"report"}' },
    });
    expect(messageOf('main/s', 't0')).toMatchObject({ status: 'completed', series_id: 't0' });
    expect(messageOf('main/s', 'p1')).toMatchObject({ status: 'paused', recurrence: DAILY, series_id: 'p1' });
    expect(messageOf('york/s-ny', 't')).toMatchObject({ timezone: 'America/New_York' });
    const successor = rowsOf('main/s', 'messages_in').at(-1);
    expect(successor).toMatchObject({ status: 'pending', series_id: 'ended', recurrence: DAILY, seq: 10 });
    expect(String(successor?.['id'])).toMatch(/^ended@\d{8}T\d{6}Z$/);
    expect(view.sessions[0]?.notes).toEqual([
      note('changed', 'a series whose last occurrence had completed: it goes on with the next one', 'ended'),
      note(
        'left',
        'a series: its schedule is none here: it has 1 fields, not 5 (minute hour day-of-month month day-of-week)',
        'every',
      ),
      note('left', 'a paused task that does not recur: nothing would ever resume it here', 'once'),
    ]);
    const listed = await fixture.files.series('main/s' as SessionAddress, null);
    expect(listed.kind === 'ok' && listed.rows.map(({ series }) => series).sort()).toEqual(['ended', 'p1', 't0']);
  });

  it('takes series to be in the zone of this install where TZ of the installation is none, and says so', async () => {
    there.group('ag', 'main');
    there.group('ag-odd', 'odd', { zone: 'Mars/Olympus' });
    const task = { kind: 'task', recurrence: DAILY };
    for (const group of ['ag', 'ag-odd']) {
      const session = there
        .session(group, `s-${group}`)
        .message('t', { ...task, process_after: '2031-01-01T06:30:00Z' });
      session.message('ended', { ...task, status: 'completed' });
    }
    there.finish();
    for (const zone of ['UTC+2', 'CET-1CEST', 'America/New York', ':/etc/localtime']) {
      writeFileSync(there.path('.env'), `TZ=${zone}\n`);
      expect((await run({ dryRun: true })).notes).toEqual([
        note('changed', 'a TZ in its .env that is no time zone here: series are taken to be in UTC', zone),
        note(
          'changed',
          'a zone of a group that is no time zone here: its series are taken to be in UTC',
          'Mars/Olympus',
        ),
      ]);
    }
    expect((await run()).counts).toMatchObject({ brought: 2, series: 4 });
    for (const session of ['main/s-ag', 'odd/s-ag-odd']) {
      const series = rowsOf(session, 'messages_in').filter((row) => row['recurrence'] !== null);
      expect(series.map((row) => row['timezone'])).toEqual(['UTC', 'UTC']);
    }
  });

  it('brings answers, what was delivered of them, and the ids of provider sessions as they are', async () => {
    there.group('ag', 'main');
    const session = there.session('ag', 's').message('m1', { status: 'completed' });
    session.answer('a1', 'm1', 'first').answer('a2', 'm1', 'second', false);
    session.state('continuation:claude', 'bare-id').state('token_usage', '{}').routing();
    there.finish();
    const view = onlySession(await run());
    expect(view.counts).toMatchObject({ answers: 2, resumeIds: 1 });
    expect(rowsOf('main/s', 'messages_out')).toMatchObject([
      { id: 'a1', seq: 3, in_reply_to: 'm1', platform_id: 'tg:1', content: '{"text":"first"}' },
      { id: 'a2', seq: 5, in_reply_to: 'm1' },
    ]);
    expect(rowsOf('main/s', 'delivered')).toMatchObject([{ message_out_id: 'a1', platform_message_id: 'tg-a1' }]);
    expect(rowsOf('main/s', 'session_state')).toMatchObject([{ key: 'continuation:claude', value: 'bare-id' }]);
    expect(rowsOf('main/s', 'destinations')).toMatchObject([{ name: 'ann', type: 'channel', platform_id: 'tg:1' }]);
    expect(rowsOf('main/s', 'session_routing')).toMatchObject([{ id: 1, channel_type: 'telegram', thread_id: null }]);
    const ids = await fixture.files.resumeIds('main/s' as SessionAddress);
    expect(ids).toMatchObject({ kind: 'ok', ids: ['bare-id'] });
  });

  it('F14: brings files with their bytes; links, folders and what is too large are refused and listed', async () => {
    there.group('ag', 'main');
    const attachments = [{ name: 'photo.jpg', localPath: 'inbox/m:1/photo.jpg', type: 'image' }];
    const session = there.session('ag', 's').message('m:1', { content: JSON.stringify({ text: 'look', attachments }) });
    session.message('m2').message('m3').file('inbox/m:1/photo.jpg', 'jpeg').file('inbox/m:1/large', 'x'.repeat(1_001));
    session.file('inbox/m2/folder/file', 'x').answer('a1', 'm:1', 'here').file('outbox/a1/report.txt', 'report');
    writeFileSync(there.path('secret'), 'secret');
    symlinkSync(there.path('secret'), join(session.folder, 'inbox', 'm2', 'link'));
    symlinkSync(there.root, join(session.folder, 'inbox', 'm3'));
    linkSync(there.path('secret'), join(session.folder, 'outbox', 'a1', 'hard'));
    execFileSync('mkfifo', [join(session.folder, 'outbox', 'a1', 'pipe')]);
    there.finish();
    const view = onlySession(await run());
    expect(view.counts).toMatchObject({ files: 2, pending: 3, answers: 1 });
    expect(view.notes).toEqual([
      note('changed', 'an id of a message that does not fit has a new one', 'm:1'),
      note('left', 'a file of its inbox: has 1001 bytes, the most is 1000 (ATTACHMENT_MAX_BYTES)', 'm:1/large'),
      note('left', 'a file of its inbox: is a folder, not a regular file', 'm2/folder'),
      note('left', 'a file of its inbox: is a link, not a regular file', 'm2/link'),
      note('left', 'a file of its inbox: is a link, not a folder', 'm3/m3'),
      note('left', 'a file of its outbox: has 2 hard links', 'a1/hard'),
      note('left', 'a file of its outbox: is a fifo, not a regular file', 'a1/pipe'),
    ]);
    const paths = sessionPaths(fixture.dataDir, 'main/s' as SessionAddress);
    const [row] = rowsOf('main/s', 'messages_in');
    const id = String(row?.['id']);
    expect(id).toMatch(/^m-1-[0-9a-f]{16}$/);
    expect(readdirSync(paths.inbox)).toEqual([id]);
    expect(readFileSync(join(paths.inbox, id, 'photo.jpg'), 'utf8')).toBe('jpeg');
    expect(readFileSync(join(paths.outbox, 'a1', 'report.txt'), 'utf8')).toBe('report');
    const path = `inbox/${id}/photo.jpg`;
    expect(JSON.parse(String(row?.['content']))).toEqual({
      text: 'look',
      attachments: [{ name: 'photo.jpg', localPath: path, type: 'image', path, bytes: 4 }],
    });
    expect(rowsOf('main/s', 'messages_out')).toMatchObject([{ in_reply_to: id }]);
  });

  it('gives names that do not fit or differ only in case others, always the same, and lists them', async () => {
    there.group('ag-1', 'Team');
    there.group('ag-2', 'team');
    there.group('ag-3', 'ä b');
    there.session('ag-1', 's');
    there.session('ag-1', 'S').message('m');
    there.session('ag-2', 's2');
    there.session('ag-3', '..odd..');
    there.finish();
    const view = await run();
    expect(view.counts).toMatchObject({ brought: 4, left: 0 });
    expect(view.sessions.map(({ from, session }) => `${from} ${session}`)).toEqual([
      'ag-1/S Team/S',
      'ag-1/s Team/s-af63ee4c86020b22',
      'ag-2/s2 team-e3f6e483e0e344b2/s2',
      'ag-3/..odd.. b-cca592c6d94de32c/odd-667e93d9ea71d942',
    ]);
    expect(view.sessions.flatMap(({ notes }) => notes.map(({ first }) => first))).toEqual([
      'Team/s',
      'team/s2',
      'ä b/..odd..',
    ]);
  });

  it('F1: leaves sessions whose files cannot be read, says why, and brings the others', async () => {
    there.group('ag', 'main');
    for (const id of ['broken', 'cut', 'linked', 'no-folder', 'pipe', 'super', 'view'])
      there.session('ag', id).message('m');
    there.session('ag', 'fine').message('m').answer('a', 'm', 'x');
    there.session('ag', 'half').message('m');
    there.session('ag', 'midway').history(5_000);
    there.session('ag', 'torn').history(100).message('m').killedWhileWriting();
    const at = (...parts: string[]): string => there.path('data', 'v2-sessions', 'ag', ...parts);
    writeFileSync(at('broken', 'inbound.db'), 'no database at all, but long enough to be one'.repeat(100));
    writeFileSync(at('cut', 'inbound.db'), readFileSync(at('cut', 'inbound.db')).subarray(0, 5_000));
    writeFileSync(at('super', 'inbound.db-journal'), Buffer.from(`${'00'.repeat(600)}d9d505f920a163d7`, 'hex'));
    rmSync(at('pipe', 'inbound.db'));
    execFileSync('mkfifo', [at('pipe', 'inbound.db')]);
    const bytes = readFileSync(at('midway', 'inbound.db'));
    writeFileSync(at('midway', 'inbound.db'), bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 20_000));
    writeFileSync(at('half', 'outbound.db'), 'nonsense'.repeat(1_000));
    replaceByLink(at('linked', 'inbound.db'), at('fine', 'inbound.db'));
    replaceByLink(at('no-folder'), at('fine'));
    asView(at('view', 'inbound.db'));
    mkdirSync(at('stray'));
    there.finish();
    const before = there.fingerprint();
    const view = await run();
    expect(there.fingerprint()).toEqual(before);
    const why = Object.fromEntries(view.sessions.map((session) => [session.session, session.why]));
    expect(why).toMatchObject({
      'main/fine': null,
      'main/half': null,
      'main/broken': expect.stringContaining('inbound.db: SQLITE_NOTADB') as string,
      'main/cut': expect.stringMatching(/SQLITE_CORRUPT/) as string,
      'main/linked': 'inbound.db: inbound.db is a link, not a regular file',
      'main/no-folder': expect.stringContaining('there is no folder "no-folder", or it is a link') as string,
      'main/midway': expect.stringMatching(/SQLITE_CORRUPT/) as string,
      'main/pipe': 'inbound.db: inbound.db is a fifo, not a regular file',
      'main/super': 'inbound.db: inbound.db-journal names a super-journal',
      'main/torn': null,
      'main/view': 'inbound.db: messages_in is no plain table',
    });
    expect(view.sessions.find(({ session }) => session === 'main/half')?.notes).toEqual([
      note('left', 'all answers and claims: outbound.db: SQLITE_NOTADB: file is not a database', 'outbound.db'),
    ]);
    expect(view.notes).toContainEqual(note('left', 'a folder without a row in sessions', 'ag/stray'));
    expect([...fixture.registry.eachSession()].map(({ address }) => address)).toEqual([
      ...['main/fine', 'main/half', 'main/torn'],
    ]);
    expect(readdirSync(join(fixture.dataDir, 'sessions', 'main'))).toEqual(['fine', 'half', 'torn']);
    expect(messageOf('main/torn', 'm')).toMatchObject({
      status: 'pending',
      content: expect.not.stringMatching(/ $/) as string,
    });
  });

  it('knows the ids of all that it brought: nothing is accepted under one of them', async () => {
    there.group('ag', 'main');
    const session = there.session('ag', 's').history(2_100);
    session.message('daily', { kind: 'task', recurrence: DAILY, process_after: '2031-01-01T06:30:00Z' });
    there.finish();
    await run();
    const send = (id: string) =>
      sendMessage(fixture.desk, { session: 'main/s', text: 'new text', id, cron: '0 8 * * *' });
    for (const id of ['daily', 'old-0', 'old-2099']) {
      await expect(send(id)).rejects.toThrow(`message ${id} of main/s is known with other content`);
    }
    await send('weekly');
    expect(fixture.registry.spooled('main/s' as SessionAddress, 10)).toMatchObject([{ id: 'weekly' }]);
  });

  it('reads long histories page by page, and session files of the first versions, which lack columns', async () => {
    there.remove();
    there = new NanoclawInstallation({ early: true });
    there.group('ag', 'main');
    const session = there.session('ag', 's').message('m', { recurrence: DAILY, process_after: '2031-01-01T06:30:00Z' });
    session.history(2_345).message('last');
    there.finish();
    expect(onlySession(await run()).counts).toMatchObject({ pending: 2, series: 1, completed: 2_345 });
    expect(messageOf('main/s', 'm')).toMatchObject({ trigger: 1, on_wake: 0, series_id: 'm' });
    const rows = rowsOf('main/s', 'messages_in');
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 2_347 }, (_, at) => 2 * at + 2));
  });

  it('puts messages without a number behind all others, and never holds more of them than a page', async () => {
    there.group('ag', 'main');
    const session = there.session('ag', 's').message('first').history(4_100, { numbered: false });
    session.message('last').message('none', { seq: 0 });
    there.finish();
    const written: number[] = [];
    const desk = withNanoclaw(fixture.desk, (real) => ({
      write: (address, rows) => {
        written.push(rows.messages?.length ?? 0);
        return real.write(address, rows);
      },
    }));
    await importNanoclaw(desk, { folder: there.root, dryRun: false });
    expect(Math.max(...written)).toBe(2_000);
    const rows = rowsOf('main/s', 'messages_in');
    const inOrder = [...rows].sort((a, b) => Number(a['seq']) - Number(b['seq']));
    expect(inOrder.map(({ seq }) => seq)).toEqual(Array.from({ length: 4_103 }, (_, at) => 2 * at + 2));
    const ids = inOrder.map(({ id }) => id);
    expect(ids.slice(0, 4)).toEqual(['first', 'last', 'old-0', 'old-1']);
    expect(ids.slice(-2)).toEqual(['old-4099', 'none']);
  });

  it('refuses what is no installation, and one whose central database cannot be read', async () => {
    await expect(run()).rejects.toMatchObject({ code: 'not_found' });
    makeSome(there);
    writeFileSync(there.path('data', 'v2.db'), 'nonsense'.repeat(1_000));
    rmSync(there.path('data', 'v2.db-wal'));
    await expect(run()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('SQLITE_NOTADB') as string,
    });
    await expect(importNanoclaw(fixture.desk, { folder: 'relative', dryRun: false })).rejects.toMatchObject({
      code: 'usage',
    });
  });
});

function note(kind: 'left' | 'changed', reason: string, first: string) {
  return { kind, reason, count: 1, first };
}

function replaceByLink(path: string, target: string): void {
  rmSync(path, { recursive: true });
  symlinkSync(target, path);
}

function asView(path: string): void {
  const db = new Database(path);
  db.exec('ALTER TABLE messages_in RENAME TO other; CREATE VIEW messages_in AS SELECT * FROM other');
  db.close();
}
