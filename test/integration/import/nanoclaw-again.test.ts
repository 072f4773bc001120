import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanImports } from '../../../src/desk/import/clean-imports.js';
import { importNanoclaw } from '../../../src/desk/import/import-nanoclaw.js';
import type { ImportView } from '../../../src/desk/import/import-view.js';
import { sendMessage } from '../../../src/desk/send-message.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { makeSome, readRows, withNanoclaw } from '../../support/nanoclaw-import.js';
import type { Row } from '../../support/nanoclaw-import.js';
import { NanoclawInstallation } from '../../support/nanoclaw-installation.js';
import { workersOf } from '../../support/session-files-fixture.js';

describe('importing NanoClaw again, in the way of others, or cut short', () => {
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
});
