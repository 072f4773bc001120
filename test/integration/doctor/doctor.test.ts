import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  lstatSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openDataDir } from '../../../src/store/data-dir.js';
import { acquireHostLock } from '../../../src/store/host-lock.js';
import { built } from '../../support/built.js';
import { runCli, startCli } from '../../support/cli.js';
import type { RunningCli } from '../../support/cli.js';
import { ProcessesView } from '../../support/containers-view.js';
import { makeDataDir } from '../../support/desk-fixture.js';
import { readDoctor, runDoctor } from '../../support/doctor.js';
import { eventually } from '../../support/eventually.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const DAY_S = 86_400;

let dataDir: string;
let daemon: RunningCli | undefined;

beforeEach(() => {
  dataDir = makeDataDir('doctor');
});
afterEach(async () => {
  daemon?.child.kill('SIGKILL');
  await daemon?.result;
  daemon = undefined;
  await new ProcessesView(dataDir).reap().catch(() => undefined);
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', dataDir]);

async function startDaemon(env: Readonly<Record<string, string>> = {}): Promise<RunningCli> {
  const started = startCli(['start', '--runtime', 'process', '--data-dir', dataDir], { env });
  daemon = started;
  await eventually('the daemon listens', () => existsSync(join(dataDir, 'nightporter.sock')), { timeoutMs: 25_000 });
  return started;
}

/** Everything in the data dir with what would tell of a change. */
function inventory(): Readonly<Record<string, string>> {
  const names = readdirSync(dataDir, { recursive: true, encoding: 'utf8' });
  return Object.fromEntries(
    names.map((name) => {
      const { ino, size, mtimeNs, mode } = lstatSync(join(dataDir, name), { bigint: true });
      return [name, [ino, size, name.endsWith('-shm') ? 0 : mtimeNs, mode].join(' ')];
    }),
  );
}

describe('doctor', () => {
  it('finds nothing wrong with a data dir in use, runs the runner, and leaves everything as it was', async () => {
    await cli('session', 'create', 'demo/first');
    // An import is under way, or was killed.
    const importing = join(dataDir, 'sessions', 'demo', '.importing');
    mkdirSync(join(importing, 'second'), { recursive: true });
    utimesSync(importing, Date.now() / 1_000 - DAY_S, Date.now() / 1_000 - DAY_S);
    const before = inventory();
    const result = await runDoctor(dataDir);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.view.problems).toBe(0);
    expect(result.view.checks.map(({ name }) => name)).toEqual([
      'node',
      'sqlite',
      'settings',
      'data_dir',
      'disk',
      'inodes',
      'file_system',
      'permissions',
      'socket',
      'writing',
      'lock',
      'registry',
      'daemon',
      'clock',
      'time_zone',
      'runtime',
      'engine',
      'image',
      'probe',
      'containers',
      'folders',
      'sessions',
      'notices',
      'dead_letters',
    ]);
    expect(result.check('probe').detail).toMatch(/^the runner answered a message in \d/);
    expect(result.check('lock').detail).toBe('free: no daemon runs');
    expect(result.check('folders')).toMatchObject({ state: 'ok', detail: '1 session, 1 folder' });
    for (const { state, remedy } of result.view.checks) expect(remedy === null).toBe(state === 'ok');
    expect(inventory()).toEqual(before);
  });

  it('prints a line a check, and what to do below it', async () => {
    const result = await runCli(['doctor', '--data-dir', join(dataDir, 'none')], {
      env: { NIGHTPORTER_RUNTIME: 'process' },
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^ok {7}node {9}Nightporter .* on Node v/);
    expect(result.stdout).toMatch(/\nwarning {2}data_dir {5}there is no .*\n {22}-> "nightporter start" makes it/);
    expect(result.stdout).toMatch(/\n\n0 problems, 1 warning\n$/);
  });

  it('says that there is no data dir, checks the rest, and makes none', async () => {
    const none = join(dataDir, 'none');
    const result = await runDoctor(none);
    expect(result.code).toBe(0);
    expect(result.check('data_dir')).toMatchObject({ state: 'warning', detail: `there is no ${none} yet` });
    expect(result.check('disk').state).toBe('ok');
    expect(result.check('engine').state).toBe('ok');
    expect(result.view.checks.map(({ name }) => name)).not.toContain('probe');
    expect(existsSync(none)).toBe(false);
  });

  it('says that a file is in the way of the data dir', async () => {
    const file = join(dataDir, 'file');
    writeFileSync(file, '');
    const result = await runDoctor(file);
    expect(result.code).toBe(1);
    expect(result.check('data_dir')).toMatchObject({ state: 'problem', detail: `${file} is no folder` });
  });

  it('works beside a daemon, which goes on undisturbed and keeps its lock', async () => {
    const running = await startDaemon();
    await cli('send', 'demo/first', 'hello');
    const log = running.stderr();
    const result = await runDoctor(dataDir);
    expect(result.view.checks.filter(({ state }) => state === 'problem')).toEqual([]);
    expect(result.code).toBe(0);
    expect(result.check('lock').detail).toBe(`held by the daemon, process ${String(running.child.pid)}, which answers`);
    expect(result.check('daemon').detail).toContain(`process ${String(running.child.pid)} runs`);
    expect(running.stderr().slice(log.length)).not.toMatch(/orphan|doctor|probe|"level":"(warn|error)"/);
    const second = await cli('start', '--runtime', 'process');
    expect(second.code).toBe(5);
  });

  it('takes wrong settings for a problem, and looks at the rest with the defaults', async () => {
    writeFileSync(join(dataDir, 'config.yaml'), 'MAX_TRYS: 3\nSWEEP_INTERVAL_MS: soon\n', { mode: 0o600 });
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    expect(result.check('settings')).toMatchObject({
      state: 'problem',
      remedy: expect.stringContaining('nightporter config check') as string,
    });
    expect(result.check('settings').detail).toMatch(/MAX_TRYS is no setting.*MAX_TRIES.*SWEEP_INTERVAL_MS/);
    expect(result.check('disk').state).toBe('ok');
  });

  it('takes an engine that is down for a problem', async () => {
    const result = await runDoctor(dataDir, {
      env: { NIGHTPORTER_RUNTIME: 'docker', DOCKER_HOST: `unix://${dataDir}/no.sock` },
    });
    expect(result.code).toBe(1);
    expect(result.check('engine')).toMatchObject({
      state: 'problem',
      detail: expect.stringContaining('no.sock') as string,
      remedy: expect.stringContaining('start the engine') as string,
    });
  });

  it('warns of a runtime that does not isolate and that nobody asked for', async () => {
    const nowhere = { PATH: dataDir, HOME: dataDir, DOCKER_HOST: '', NIGHTPORTER_RUNTIME: 'auto' };
    const result = await runDoctor(dataDir, { env: nowhere });
    const { state, detail } = result.check('runtime');
    if (detail.startsWith('docker')) return; // an engine's socket is at a known place of this machine
    expect({ state, detail }).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('not isolated') as string,
    });
  });

  it('tells a damaged registry, and goes on without it', async () => {
    await cli('session', 'create', 'demo/first');
    const file = join(dataDir, 'registry.db');
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096, 4096 * 6);
    writeFileSync(file, bytes);
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    expect(result.check('registry')).toMatchObject({
      state: 'problem',
      detail: expect.stringMatching(/damaged|malformed/) as string,
      remedy: expect.stringContaining('backup') as string,
    });
    expect(result.check('probe').state).toBe('ok');
    expect(result.view.checks.map(({ name }) => name)).not.toContain('sessions');
  });

  it('tells a registry that is none', async () => {
    writeFileSync(join(dataDir, 'registry.db'), 'no database at all', { mode: 0o600 });
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    expect(result.check('registry').state).toBe('problem');
  });

  it('tells modes that let others at the data', async () => {
    await cli('session', 'create', 'demo/first');
    chmodSync(join(dataDir, 'registry.db'), 0o666);
    const written = await runDoctor(dataDir);
    expect(written.code).toBe(1);
    expect(written.check('permissions')).toMatchObject({
      state: 'problem',
      remedy: `chmod 600 ${join(dataDir, 'registry.db')}`,
    });
    chmodSync(join(dataDir, 'registry.db'), 0o640);
    expect((await runDoctor(dataDir)).check('permissions').state).toBe('warning');
    chmodSync(join(dataDir, 'registry.db'), 0o400);
    expect((await runDoctor(dataDir)).check('permissions')).toMatchObject({
      state: 'problem',
      detail: expect.stringContaining('its owner cannot use it') as string,
    });
  });

  it.skipIf(!isRoot)('tells a user without permission what to do, and crashes nowhere', async () => {
    await cli('session', 'create', 'demo/first');
    const result = readDoctor(await asNobody(['doctor', '--json', '--data-dir', dataDir]));
    expect(result.code).toBe(1);
    expect(result.check('data_dir')).toMatchObject({
      state: 'problem',
      detail: expect.stringContaining('it belongs to uid 0, mode 700') as string,
      remedy: expect.stringContaining('as that user') as string,
    });
  });

  it.skipIf(!isRoot)('tells files of another user in its own data dir', async () => {
    await cli('session', 'create', 'demo/first');
    chownSync(dataDir, NOBODY, NOBODY);
    const result = readDoctor(await asNobody(['doctor', '--json', '--data-dir', dataDir]));
    expect(result.code).toBe(1);
    expect(result.check('permissions').detail).toContain('registry.db belongs to uid 0, this is uid 65534');
    expect(result.check('registry').state).toBe('problem');
    // Root may do everything, and should not.
    expect((await runDoctor(dataDir)).check('permissions').state).toBe('warning');
  });

  it('tells a lock that a stopped process holds (SIGSTOP), and how to go on', async () => {
    const running = await startDaemon();
    const { pid } = running.child;
    running.child.kill('SIGSTOP');
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    expect(result.check('lock')).toMatchObject({
      state: 'problem',
      detail: `held by process ${String(pid)}, which is stopped (SIGSTOP or a debugger)`,
      remedy: expect.stringContaining(`kill -CONT ${String(pid)}`) as string,
    });
    running.child.kill('SIGCONT');
    expect((await runDoctor(dataDir)).check('lock').state).toBe('ok');
  });

  it('tells a lock whose holder never listens', async () => {
    const lock = acquireHostLock(openDataDir(dataDir));
    if (lock.kind !== 'held') throw new Error('lock taken');
    onTestFinished(() => {
      lock.release();
    });
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    expect(result.check('lock')).toMatchObject({
      state: 'problem',
      detail: `held by process ${String(process.pid)}, which does not answer`,
    });
  });

  it('tells a session whose folder was deleted, and a folder of no session (L8)', async () => {
    await cli('session', 'create', 'demo/first');
    await cli('session', 'create', 'demo/second');
    await cli('send', 'demo/new', 'not looked at yet: it has no folder');
    rmSync(join(dataDir, 'sessions/demo/second'), { recursive: true });
    const stray = join(dataDir, 'sessions/demo/stray');
    mkdirSync(stray);
    const longAgoS = Date.now() / 1000 - 20 * DAY_S;
    utimesSync(stray, longAgoS, longAgoS);
    mkdirSync(join(dataDir, 'sessions/demo/just-made'));
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(1);
    const { state, detail, remedy } = result.check('folders');
    expect(state).toBe('problem');
    expect(detail).toMatch(/^the files of 1 session are gone: demo\/second; 1 folder below .*: demo\/stray \(20 d\)/);
    expect(remedy).toContain('restore');
    expect(existsSync(stray)).toBe(true);

    rmSync(join(dataDir, 'sessions/demo/second'), { recursive: true, force: true });
    await cli('session', 'close', 'demo/second');
    const after = await runDoctor(dataDir);
    expect(after.code).toBe(0);
    expect(after.check('folders').state).toBe('warning');
  });

  it('tells a run that the registry takes for open and of which there is no container', async () => {
    const running = await startDaemon();
    await cli('session', 'create', 'demo/first', '--command', 'sleep 1000');
    await cli('send', 'demo/first', 'hello');
    const view = new ProcessesView(dataDir);
    await eventually('its container', async () => (await view.running()).length === 1, { timeoutMs: 20_000 });
    expect((await runDoctor(dataDir)).check('containers')).toMatchObject({
      state: 'ok',
      detail: '1 container of this install',
    });
    running.child.kill('SIGKILL');
    await running.result;
    expect((await runDoctor(dataDir)).check('containers').state).toBe('ok');
    await view.reap();
    // What is left of it tells that it ended: without that nothing is known of the run.
    rmSync(join(dataDir, 'run'), { recursive: true, force: true });
    const result = await runDoctor(dataDir);
    expect(result.check('containers')).toMatchObject({
      state: 'warning',
      detail: 'run 1 of demo/first is open, and has no container',
      remedy: expect.stringContaining('nightporter start') as string,
    });
    expect(result.code).toBe(0);
  });

  it('counts what is held, quarantined, told and dead, with the commands that show it', async () => {
    await cli('session', 'create', 'demo/first');
    const db = new Database(join(dataDir, 'registry.db'));
    db.exec(`
      UPDATE sessions SET quarantined_at = 1, quarantine_file = 'outbound.db', quarantine_detail = 'x', failed = 3;
      INSERT INTO notices (kind, session, text, raised_at, last_at) VALUES ('quarantined', 'demo/first', 'x', 1, 1)`);
    db.close();
    const result = await runDoctor(dataDir);
    expect(result.code).toBe(0);
    expect(result.check('sessions')).toMatchObject({
      state: 'warning',
      remedy: expect.stringContaining('nightporter session list') as string,
    });
    expect(result.check('notices')).toMatchObject({ state: 'warning', detail: '1 open: quarantined' });
    expect(result.check('dead_letters')).toMatchObject({
      state: 'warning',
      detail: '3 messages ended as dead letters',
      remedy: expect.stringContaining('nightporter dead list') as string,
    });
  });

  it('tells that messages wait where no daemon runs', async () => {
    await cli('send', 'demo/first', 'hello');
    expect((await runDoctor(dataDir)).check('daemon')).toMatchObject({
      state: 'warning',
      remedy: 'run "nightporter start"',
    });
  });

  it('tells a clock that was set back, and a time zone that is none', async () => {
    await cli('session', 'create', 'demo/first');
    const db = new Database(join(dataDir, 'registry.db'));
    const startedAtMs = Date.now() + 7_200_000;
    const sweep = { startedAtMs, durationMs: 1, swept: 0, skipped: 0, errors: 0 };
    db.prepare("INSERT INTO facts VALUES ('last_sweep', ?)").run(JSON.stringify(sweep));
    db.close();
    const result = await runDoctor(dataDir, { env: { TZ: 'Middle/Earth' } });
    expect(result.check('clock')).toMatchObject({ state: 'warning' });
    expect(result.check('clock').detail).toMatch(/71\d\d s in the future/);
    expect(result.check('time_zone')).toMatchObject({ state: 'warning' });
  });

  it('tells a path that is too long for the socket', async () => {
    const long = join(dataDir, 'x'.repeat(100));
    mkdirSync(long, { mode: 0o700 });
    expect((await runDoctor(long)).check('socket')).toMatchObject({
      state: 'warning',
      remedy: 'use a data dir with a shorter path',
    });
  });

  it('stays bounded with 100,000 sessions', async () => {
    await cli('session', 'create', 'demo/first');
    const db = new Database(join(dataDir, 'registry.db'));
    db.exec(`
      BEGIN;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO sessions (address, folded, created_at, signature) SELECT 'many/s' || i, 'many/s' || i, 1, 'x' FROM n;
      COMMIT`);
    db.close();
    const begunMs = performance.now();
    const result = await runDoctor(dataDir);
    expect(performance.now() - begunMs).toBeLessThan(20_000);
    expect(result.check('folders').detail).toMatch(/^the files of 100000 sessions are gone: .* and 99995 more$/);
    expect(result.stdout.length).toBeLessThan(20_000);
  });

  it('removes what an interrupted doctor left an hour ago, and nothing else', async () => {
    const old = join(dataDir, 'doctor-old');
    mkdirSync(old);
    const longAgoS = Date.now() / 1000 - 2 * 3_600;
    utimesSync(old, longAgoS, longAgoS);
    const young = mkdtempSync(join(dataDir, 'doctor-'));
    await runDoctor(dataDir);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });
});

describe.skipIf(!canMount())('doctor on small disks', () => {
  it('tells a full disk, and a nearly full one', async () => {
    const disk = mounted('size=8m');
    const data = join(disk, 'data');
    await runCli(['session', 'create', 'demo/first', '--data-dir', data]);
    const small = await runDoctor(data);
    expect(small.code).toBe(1);
    expect(small.check('disk')).toMatchObject({
      state: 'problem',
      detail: expect.stringMatching(/MiB free/) as string,
    });
    expect(small.check('file_system')).toMatchObject({ state: 'warning' });
    expect(small.check('writing').state).toBe('ok');

    fill(join(data, 'ballast'));
    const full = await runDoctor(data);
    expect(full.code).toBe(1);
    expect(full.check('writing')).toMatchObject({
      state: 'problem',
      detail: expect.stringContaining('ENOSPC') as string,
    });
    expect(full.check('registry').state).toBe('ok');
    expect(full.check('probe')).toMatchObject({ state: 'problem' });
  });

  it('tells that there are no inodes left', async () => {
    const disk = mounted('size=2g,nr_inodes=40');
    const result = await runDoctor(disk);
    expect(result.check('inodes')).toMatchObject({ state: 'problem' });
    expect(result.check('disk').state).toBe('ok');
  });

  it('tells a read-only file system', async () => {
    const disk = mounted('size=8m,mode=700');
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const result = await runDoctor(disk);
    expect(result.code).toBe(1);
    expect(result.check('file_system')).toMatchObject({
      state: 'problem',
      detail: expect.stringContaining('read-only') as string,
    });
  });
});

function fill(file: string): void {
  const block = Buffer.alloc(64 * 1024);
  try {
    for (;;) appendFileSync(file, block);
  } catch {
    // Full by now.
  }
  try {
    for (;;) appendFileSync(file, Buffer.alloc(512));
  } catch {
    // To the last page.
  }
}

function mounted(options: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'np-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', dir]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

function canMount(): boolean {
  if (process.platform !== 'linux' || !isRoot) return false;
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The compiled command line as a user who owns nothing. */
function asNobody(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [built('src/main.js'), ...args], {
      uid: NOBODY,
      gid: NOBODY,
      env: { PATH: process.env['PATH'], NIGHTPORTER_RUNTIME: 'process' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}
