import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanImports } from '../../../src/desk/import/clean-imports.js';
import { importNanoclaw } from '../../../src/desk/import/import-nanoclaw.js';
import type { ImportedSessionView, ImportView } from '../../../src/desk/import/import-view.js';
import type { Desk } from '../../../src/desk/desk.js';
import { sendMessage } from '../../../src/desk/send-message.js';
import type { Nanoclaw } from '../../../src/ports/nanoclaw.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { sessionPaths } from '../../../src/store/session-files/session-paths.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { workersOf } from '../../support/session-files-fixture.js';
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
  const rowsOf = (session: string, table: string): Row[] => {
    const paths = sessionPaths(fixture.dataDir, session as SessionAddress);
    const isInbound = table !== 'messages_out' && table !== 'session_state';
    const db = new Database(isInbound ? paths.inbound : paths.outbound, { readonly: true });
    try {
      return db.prepare<[], Row>(`SELECT * FROM ${table} ORDER BY rowid`).all();
    } finally {
      db.close();
    }
  };
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

  it('changes nothing when it is run again, and nothing under the installation; a dry run lists what the run did', async () => {
    makeSome(there);
    const before = there.fingerprint();
    const dry = await run({ dryRun: true });
    expect([...fixture.registry.eachSession()]).toEqual([]);
    expect(existsSync(join(fixture.dataDir, 'sessions'))).toBe(false);
    const first = await run();
    expect({ ...dry, dryRun: false }).toEqual(first);
    const registered = [...fixture.registry.eachSession()];
    const again = await run();
    expect(again.counts).toMatchObject({ brought: 0, known: 3, left: 0, pending: 0, answers: 0 });
    expect([...fixture.registry.eachSession()]).toEqual(registered);
    expect((await run({ dryRun: true })).sessions).toEqual(again.sessions);
    expect(there.fingerprint()).toEqual(before);
    expect(readdirSync(fixture.dataDir)).not.toContain('importing');
  });

  it('brings one group where one is named, one import at a time, and nothing back that was deleted here', async () => {
    makeSome(there);
    const first = run({ group: 'side' });
    const second = run();
    await expect(second).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('another import') as string,
    });
    const view = await first;
    expect(view.sessions.map(({ session }) => session)).toEqual(['side/s3']);
    await expect(run({ group: 'nope' })).rejects.toMatchObject({ code: 'not_found' });
    fixture.registry.deleteSession('side/s3' as SessionAddress, Date.now());
    expect((await run()).counts).toMatchObject({ brought: 2, known: 1 });
  });

  it('knows what it brought whatever its group is called by now, or a twin in case that came later', async () => {
    makeSome(there);
    expect((await run()).counts).toMatchObject({ brought: 3, series: 1 });
    there.change("UPDATE agent_groups SET folder = 'renamed' WHERE id = 'ag'");
    there.change("DELETE FROM agent_groups WHERE id = 'ag-2'");
    there.change(
      "INSERT INTO sessions (id, agent_group_id, created_at) SELECT 'S1', 'ag', created_at FROM sessions LIMIT 1",
    );
    cpSync(there.path('data', 'v2-sessions', 'ag', 's2'), there.path('data', 'v2-sessions', 'ag', 'S1'), {
      recursive: true,
    });
    const again = await run();
    expect(again.counts).toMatchObject({ brought: 1, known: 3, left: 0, series: 0 });
    expect(again.sessions.map(({ from, session, state }) => `${from} ${session} ${state}`)).toEqual([
      'ag/S1 main/S1-0945ff07b5d5a329 brought',
      'ag/s1 main/s1 known',
      'ag/s2 main/s2 known',
      'ag-2/s3 side/s3 known',
    ]);
    expect((await run({ group: 'main' })).counts).toMatchObject({ known: 3, brought: 0 });
  });

  it('leaves what is in the way: a session of that name, a twin in case, a folder of no session', async () => {
    makeSome(there);
    const { desk, registry, files } = fixture;
    const record = { createdAtMs: 1, provider: null, image: null, command: null };
    registry.createSession({ ...record, address: 'main/s1' as SessionAddress });
    registry.createSession({ ...record, address: 'main/S2' as SessionAddress });
    await files.create('side/s3' as SessionAddress);
    const view = await importNanoclaw(desk, { folder: there.root, dryRun: false });
    expect(view.sessions.map(({ why }) => why)).toEqual([
      'there is a session main/s1 of another origin',
      'main/s2 differs only in case from the existing session main/S2: use that one, or another name',
      'there is a folder of no session in its place (sessions/side/s3): move it away',
    ]);
    expect(readdirSync(join(fixture.dataDir, 'sessions'))).toEqual(['side']);
  });

  it('makes anew what was put in its place and not committed; until then nothing is accepted for it', async () => {
    makeSome(there);
    const cut = (): never => {
      throw new Error('killed');
    };
    const dead = { ...fixture.desk, registry: { ...fixture.registry, lowerNextDue: cut, deleteSession: cut } };
    const view = await importNanoclaw(dead, { folder: there.root, dryRun: false });
    expect(view).toMatchObject({ aborted: { session: 'main/s1', code: 'failed', message: 'killed' }, sessions: [] });
    expect(readdirSync(join(fixture.dataDir, 'sessions', 'main'))).toEqual(['s1']);
    expect([...fixture.registry.eachSession()]).toMatchObject([
      { address: 'main/s1', status: 'closed', closeReason: 'being imported', counts: { pending: 0 } },
    ]);
    await expect(sendMessage(fixture.desk, { session: 'main/s1', text: 'x' })).rejects.toThrow('is closed');
    expect((await run()).counts).toMatchObject({ brought: 3, left: 0, pending: 4 });
    expect(rowsOf('main/s1', 'messages_in')).toHaveLength(4);
    expect(fixture.registry.findSession('main/s1' as SessionAddress)).toMatchObject({ status: 'active' });
  });

  it('F1: leaves a session over which a file worker is lost, or whose rows are not to be understood, and brings the others', async () => {
    makeSome(there);
    const desk = withNanoclaw(fixture.desk, (real) => ({
      write: (session, rows) => {
        const written = real.write(session, rows);
        if (session === 'main/s1') for (const pid of workersOf(fixture.dataDir)) process.kill(pid, 'SIGKILL');
        return written;
      },
      state: async (source) => {
        const read = await real.state(source);
        if (read.kind === 'ok' && read.rows.length > 0) throw new RangeError('nobody thought of that');
        return read;
      },
    }));
    const view = await importNanoclaw(desk, { folder: there.root, dryRun: false });
    expect(view.sessions.map(({ session, why }) => [session, why])).toEqual([
      ['main/s1', expect.stringMatching(/^it ended a file worker \(file worker (is gone|ended by SIGKILL)\)$/)],
      ['main/s2', null],
      ['side/s3', 'its rows cannot be taken over: nobody thought of that'],
    ]);
    expect(readdirSync(join(fixture.dataDir, 'sessions', 'main'))).toEqual(['s2']);
    expect((await run()).counts).toMatchObject({ brought: 2, known: 1, left: 0 });
  });

  it('F1: leaves a session that is made by others, or whose place is taken, while its files are made', async () => {
    makeSome(there);
    const placed = join(fixture.dataDir, 'sessions', 'side', 's3', 'note');
    const desk = withNanoclaw(fixture.desk, (real) => ({
      prepare: async (session, mark, dryRun) => {
        const prepared = await real.prepare(session, mark, dryRun);
        if (session === 'main/s1') await sendMessage(fixture.desk, { session, id: 'sent', text: 'x' });
        if (session === 'main/s1') await fixture.look(session);
        return prepared;
      },
      place: (session) => {
        if (session === 'side/s3') mkdirSync(placed, { recursive: true });
        return real.place(session);
      },
    }));
    const view = await importNanoclaw(desk, { folder: there.root, dryRun: false });
    expect(view.sessions.map(({ session, why }) => [session, why])).toEqual([
      ['main/s1', 'a session main/s1 was made meanwhile'],
      ['main/s2', null],
      ['side/s3', expect.stringContaining('ENOTEMPTY') as string],
    ]);
    expect([...fixture.registry.eachSession()].map(({ address, status }) => [address, status])).toEqual([
      ['main/s1', 'active'],
      ['main/s2', 'closed'],
    ]);
    expect(rowsOf('main/s1', 'messages_in')).toMatchObject([{ id: 'sent' }]);
    expect(readdirSync(join(fixture.dataDir, 'sessions', 'main'))).toEqual(['s1', 's2']);
    rmSync(join(fixture.dataDir, 'sessions', 'side', 's3'), { recursive: true });
    expect((await run()).counts).toMatchObject({ brought: 1, known: 1, left: 1 });
  });

  it('takes away what a killed import left, and nothing of one that is under way', async () => {
    makeSome(there);
    const { desk, registry, dataDir } = fixture;
    const cut = (): never => {
      throw new Error('killed');
    };
    const dead = { ...desk, registry: { ...registry, lowerNextDue: cut, deleteSession: cut } };
    await importNanoclaw(dead, { folder: there.root, dryRun: false });
    mkdirSync(join(dataDir, 'importing', 'some'), { recursive: true });
    await desk.nanoclaw?.prepare('main/s2' as SessionAddress, 'some', false);
    expect(readdirSync(join(dataDir, 'sessions', 'main'))).toEqual(['.importing', 's1']);
    await cleanImports(desk);
    expect(readdirSync(dataDir)).not.toContain('importing');
    expect(readdirSync(join(dataDir, 'sessions', 'main'))).toEqual(['s1']);
    expect([...registry.eachSession()]).toEqual([]);
    const disturbed = withNanoclaw(desk, (real) => ({
      place: async (session) => {
        await cleanImports(desk);
        return real.place(session);
      },
    }));
    const view = await importNanoclaw(disturbed, { folder: there.root, dryRun: false });
    expect(view.counts).toMatchObject({ brought: 3, left: 0 });
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

type Row = Readonly<Record<string, string | number | null>>;

function note(kind: 'left' | 'changed', reason: string, first: string) {
  return { kind, reason, count: 1, first };
}

function makeSome(there: NanoclawInstallation): void {
  there.group('ag', 'main');
  there.group('ag-2', 'side');
  const first = there.session('ag', 's1').message('m1').message('m2', { status: 'completed' }).answer('a', 'm2', 'x');
  first
    .file('inbox/m1/a.txt', 'a')
    .message('odd:1')
    .message('t', { recurrence: '0 0 * * *', process_after: '2031-01-01T00:00:00Z' });
  there.session('ag', 's2', { status: 'closed' });
  there.session('ag-2', 's3').message('m').state('sdk_session_id', 'id');
  there.finish();
}

/** With some of what it asks of installations and files replaced. */
function withNanoclaw(desk: Desk, change: (real: Nanoclaw) => Partial<Nanoclaw>): Desk {
  const real = desk.nanoclaw;
  if (real === null) throw new Error('no nanoclaw');
  const changed = change(real);
  const nanoclaw = new Proxy(real, {
    get: (target, name) => {
      const found: unknown = Reflect.get(changed, name) ?? Reflect.get(target, name);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
  return { ...desk, nanoclaw };
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
