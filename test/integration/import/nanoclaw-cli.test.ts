import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportView } from '../../../src/desk/import/import-view.js';
import { runCli, startCli } from '../../support/cli.js';
import { describeOnProcesses } from '../../support/daemon.js';
import { nanoclawGroup } from '../../support/foreign-group.js';
import { eventually } from '../../support/eventually.js';
import { canMount, smallDisk } from '../../support/small-disk.js';
import { NanoclawInstallation } from '../../support/nanoclaw-installation.js';

const TEST_MS = 120_000;

describeOnProcesses('a NanoClaw installation that moves over', ({ open }) => {
  it(
    'has its pending messages answered by a running daemon, and its schedules listed',
    async () => {
      const there = new NanoclawInstallation();
      try {
        there.group('ag', 'main');
        const session = there.session('ag', 's1').message('done', { status: 'completed' }).answer('a1', 'done', 'old');
        session.message('waits').message('claimed').ack('claimed', 'processing');
        const task = { kind: 'task', content: '{"prompt":"report"}', recurrence: '30 7 * * *' };
        session.message('daily', { ...task, process_after: '2031-01-01T06:30:00Z' });
        there.session('ag', 's2', { status: 'closed' }).message('never');
        there.group('ag-f', 'foreign');
        there.session('ag-f', 's3').message('theirs').ack('theirs', 'processing');
        const before = there.finish().fingerprint();
        const daemon = open({ groups: { foreign: await nanoclawGroup(undefined) } });
        const leftovers = ['importing/some', 'sessions/main/.importing/s9/in'].map((name) =>
          join(daemon.dataDir, name),
        );
        for (const folder of leftovers) mkdirSync(folder, { recursive: true });
        await daemon.start();
        await eventually('what a killed import left is gone', () => !leftovers.some((folder) => existsSync(folder)));

        const dry = await daemon.json<ImportView>(['import', 'nanoclaw', there.root, '--dry-run']);
        const view = await daemon.json<ImportView>(['import', 'nanoclaw', there.root]);
        expect(view).toEqual({ ...dry, dryRun: false });
        await daemon.untilEnded('main/s1', ['waits', 'claimed']);
        expect(await daemon.texts('main/s1')).toEqual(['old', 'text of waits', 'text of claimed']);
        // By a runner that knows nothing but their format.
        await daemon.untilEnded('foreign/s3', ['theirs']);
        expect(await daemon.texts('foreign/s3')).toEqual(['text of theirs']);
        const [schedule] = await daemon.json<readonly unknown[]>(['schedule', 'list']);
        expect(schedule).toMatchObject({
          session: 'main/s1',
          series: 'daily',
          timezone: 'Europe/Berlin',
          next: '2031-01-01T06:30:00.000Z',
        });
        expect(daemon.message('main/s2', 'never')?.status).toBe('pending');

        const again = await daemon.done(['import', 'nanoclaw', there.root]);
        expect(again).toContain('0 sessions brought, 3 brought before, 0 left');
        expect(await daemon.texts('main/s1')).toHaveLength(3);
        expect(there.fingerprint()).toEqual(before);
      } finally {
        there.remove();
      }
    },
    TEST_MS,
  );
});

describe('import nanoclaw on the command line', () => {
  let dataDir: string;
  let there: NanoclawInstallation;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'np-import-'));
    there = new NanoclawInstallation();
  });
  afterEach(() => {
    rmSync(dataDir, { recursive: true, force: true });
    there.remove();
  });

  const args = (folder: string, ...more: string[]): string[] => [
    'import',
    'nanoclaw',
    folder,
    '--data-dir',
    dataDir,
    ...more,
  ];

  it('has the exit codes of the other commands, and takes relative paths', async () => {
    there.group('ag', 'main');
    there.session('ag', 's').message('m');
    expect((await runCli(args(there.root, '--dry-run'))).code).toBe(3);
    there.finish();
    const { code, stdout } = await runCli(args(relative(process.cwd(), there.root)));
    expect([code, stdout]).toEqual([
      0,
      'main/s: 1 pending\n1 sessions brought, 0 brought before, 0 left; 1 pending messages, 0 paused, 0 completed, 0 failed, 0 series, 0 answers, 0 files\n',
    ]);
  });

  it.runIf(canMount())('tells what it brought also where the disk is full then, and leaves no copies', async () => {
    rmSync(dataDir, { recursive: true });
    dataDir = join(smallDisk(6), 'data');
    there.group('ag', 'main');
    there.session('ag', 's1').message('m');
    const large = JSON.stringify({ text: 'x'.repeat(8 * 1024 * 1024) });
    there.session('ag', 's2').message('m', { content: large });
    there.session('ag', 's3').message('m');
    there.finish();
    const { code, stdout, stderr } = await runCli(args(there.root));
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^main\/s1: 1 pending\n1 sessions brought, 0 .*\n$/)]);
    expect(stderr).toContain('the import ended at main/s2: no space left');
    expect(readdirSync(dataDir)).not.toContain('importing');
    expect(readdirSync(join(dataDir, 'sessions', 'main'))).toEqual(['s1']);
  });

  it(
    'comes to the same end however often it was killed in between',
    async () => {
      there.group('ag', 'main');
      for (let at = 0; at < 4; at += 1) {
        const session = there.session('ag', `s${at}`).history(510).message('m').answer('a', 'm', 'x');
        session.file('inbox/m/a.txt', 'a').file('outbox/a/b.txt', 'b');
      }
      const before = there.finish().fingerprint();
      const whole = mkdtempSync(join(tmpdir(), 'np-import-whole-'));
      try {
        expect((await runCli(['import', 'nanoclaw', there.root, '--data-dir', whole])).code).toBe(0);
        const signals = [];
        for (const isReached of killPoints(dataDir)) signals.push(await killedAt(args(there.root), isReached));
        // One that is over too fast on a busy machine is not what is tested.
        expect(signals.filter((signal) => signal === 'SIGKILL').length).toBeGreaterThanOrEqual(2);
        const { code, stdout } = await runCli(args(there.root, '--json'));
        expect(code).toBe(0);
        expect((JSON.parse(stdout) as ImportView).counts).toMatchObject({ left: 0 });
        expect(stateOf(dataDir)).toEqual(stateOf(whole));
        expect(there.fingerprint()).toEqual(before);
      } finally {
        rmSync(whole, { recursive: true, force: true });
      }
    },
    TEST_MS,
  );
});

/** What is to be seen in the data dir when the command is killed; later ones find what earlier ones left. */
function killPoints(dataDir: string): readonly (() => boolean)[] {
  const folder = join(dataDir, 'sessions', 'main');
  const placed = (count: number) => () =>
    existsSync(folder) && readdirSync(folder).filter((name) => name !== '.importing').length >= count;
  const building = (name: string) => () => existsSync(join(folder, '.importing', name));
  return [
    () => existsSync(join(dataDir, 'importing')),
    building('s0/in/inbox/m/a.txt'),
    placed(1),
    building('s2/host/imported.json'),
  ];
}

/** By what it ended. */
async function killedAt(command: readonly string[], isReached: () => boolean): Promise<NodeJS.Signals | null> {
  const running = startCli(command);
  let ended = false;
  void running.result.then(() => (ended = true));
  await eventually('the command gets there', () => isReached() || ended, { timeoutMs: TEST_MS, intervalMs: 4 });
  running.child.kill('SIGKILL');
  await running.result;
  return running.child.signalCode;
}

/** All that an import leaves, without the times at which it did. */
function stateOf(dataDir: string): readonly unknown[] {
  const registry = new Database(join(dataDir, 'registry.db'), { readonly: true });
  const sessions = registry
    .prepare<[], { readonly address: string }>(
      'SELECT address, status, close_reason, provider, title, project, created_at, pending, completed, failed FROM sessions ORDER BY address',
    )
    .all();
  const facts = registry.prepare("SELECT key, value FROM facts WHERE key LIKE 'nanoclaw%' ORDER BY key").all();
  const accepted = registry.prepare('SELECT * FROM accepted ORDER BY session, id').all();
  registry.close();
  const folders = readdirSync(join(dataDir, 'sessions', 'main')).sort();
  const files = sessions.map(({ address }) => {
    const folder = join(dataDir, 'sessions', address);
    const texts = ['in/inbox/m/a.txt', 'out/outbox/a/b.txt'].map((name) => readFileSync(join(folder, name), 'utf8'));
    return [
      rowsOf(join(folder, 'in/inbound.db'), 'messages_in'),
      rowsOf(join(folder, 'out/outbound.db'), 'messages_out'),
      texts,
    ];
  });
  return [sessions, facts, accepted, folders, files, existsSync(join(dataDir, 'importing'))];
}

function rowsOf(file: string, table: string): readonly unknown[] {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare(`SELECT * FROM ${table} ORDER BY rowid`).all();
  } finally {
    db.close();
  }
}
