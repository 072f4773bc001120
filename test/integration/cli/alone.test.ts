import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilFree } from '../../../src/cli/connect.js';
import { openDataDir } from '../../../src/store/data-dir.js';
import { acquireHostLock } from '../../../src/store/host-lock.js';
import type { RunningCli } from '../../support/cli.js';
import { runCli, startCli } from '../../support/cli.js';
import { makeDataDir } from '../../support/desk-fixture.js';
import { eventually } from '../../support/eventually.js';

let dataDir: string;
let daemon: RunningCli | undefined;

beforeEach(() => {
  dataDir = makeDataDir('alone');
});
afterEach(async () => {
  daemon?.child.kill('SIGKILL');
  await daemon?.result;
  daemon = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', dataDir]);
const json = async (...args: readonly string[]): Promise<unknown> => JSON.parse((await cli(...args, '--json')).stdout);

async function startDaemon(): Promise<RunningCli> {
  const started = startCli(['start', '--runtime', 'process', '--data-dir', dataDir]);
  daemon = started;
  await eventually('the daemon listens', () => existsSync(join(dataDir, 'nightporter.sock')), { timeoutMs: 25_000 });
  return started;
}

describe('without a daemon', () => {
  it('send makes the data dir, accepts, and says that it waits', async () => {
    const sent = await cli('send', 'demo/first', 'hello', '--id', 'm1');
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(sent.stdout).toMatch(/^accepted demo\/first m1; no daemon runs, it waits for "nightporter start"\n$/);
    expect((await cli('send', 'demo/first', 'hello', '--id', 'm1')).stdout).toMatch(/^accepted before/);
    expect((await cli('send', 'demo/first', 'other', '--id', 'm1')).code).toBe(5);
    expect(await json('status')).toMatchObject({
      runtime: { kind: null, state: 'unknown' },
      sessions: { active: 1, total: 1 },
      messages: { spooled: 1, pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 },
      containers: { running: 0 },
      lastSweep: null,
      daemon: { running: false, pid: null },
    });
  });

  it('session commands work, replies of no session are not found', async () => {
    expect((await cli('session', 'create', 'demo/first')).code).toBe(0);
    expect((await cli('session', 'create', 'demo/first')).code).toBe(5);
    expect((await cli('session', 'pin', 'demo/first')).stdout).toBe('demo/first is active, pinned\n');
    expect(await json('session', 'list')).toEqual([
      { session: 'demo/first', status: 'active', pinned: true, held: false, quarantined: false, lastActive: null },
    ]);
    expect(await json('replies', 'demo/first')).toEqual([]);
    expect((await cli('replies', 'demo/none')).code).toBe(3);
    expect((await cli('drain')).code).toBe(4);
  });

  it('reading commands write nothing into the registry (F32)', async () => {
    await cli('session', 'create', 'demo/first');
    const before = statSync(join(dataDir, 'registry.db'), { bigint: true });
    for (const args of [
      ['status'],
      ['session', 'list'],
      ['session', 'show', 'demo/first'],
      ['replies', 'demo/first'],
    ]) {
      expect((await cli(...args)).code).toBe(0);
    }
    const after = statSync(join(dataDir, 'registry.db'), { bigint: true });
    expect([after.ino, after.size, after.mtimeNs]).toEqual([before.ino, before.size, before.mtimeNs]);
    expect(readdirSync(dataDir).filter((name) => name.endsWith('.sock'))).toEqual([]);
  });

  it('a writing command refuses a lock that is held for longer than 5 s, and works once it is free', async () => {
    const lock = acquireHostLock(openDataDir(dataDir));
    if (lock.kind !== 'held') throw new Error('lock taken');
    const begun = performance.now();
    const refused = await cli('send', 'demo/first', 'x');
    expect(performance.now() - begun).toBeGreaterThan(5000);
    expect(refused).toMatchObject({ code: 5, stdout: '' });
    expect(refused.stderr).toMatch(/^nightporter: .* is held by .*\n$/);
    lock.release();
    expect(await cli('send', 'demo/first', 'x')).toMatchObject({ code: 0, stderr: '' });
  });

  it('a writing command goes on as soon as what held the data dir has left', async () => {
    const answers = [{ kind: 'locked', holder: 'pid 1' } as const, { kind: 'done', value: 'written' } as const];
    const attempt = () => Promise.resolve(answers.shift() ?? { kind: 'locked' as const, holder: 'asked too often' });
    expect(await untilFree(dataDir, attempt)).toBe('written');
  });
});

describe('with a daemon', () => {
  it('answers a message, tells how things stand, and refuses a second daemon (F6)', async () => {
    const running = await startDaemon();
    expect((await cli('send', 'demo/first', 'hello')).code).toBe(0);
    const replies = await eventually(
      'the answer',
      async () => {
        const rows = (await json('replies', 'demo/first')) as readonly { content: unknown }[];
        return rows.length > 0 && rows;
      },
      { timeoutMs: 20_000 },
    );
    expect(replies).toMatchObject([{ kind: 'chat', inReplyTo: expect.any(String) as string }]);
    expect(Object.keys(replies[0] ?? {})).toEqual(['id', 'inReplyTo', 'timestamp', 'kind', 'content']);
    expect(await json('status')).toMatchObject({
      runtime: { kind: 'process', state: 'up' },
      daemon: { running: true, pid: running.child.pid },
    });

    const second = await cli('start', '--runtime', 'process');
    expect(second).toMatchObject({ code: 5, stdout: '' });
    expect(second.stderr).toMatch(new RegExp(`^nightporter: .*pid ${String(running.child.pid)}.*\\n$`));

    const drained = await cli('drain', '--json');
    expect(drained).toMatchObject({ code: 0, stderr: '' });
    expect((await running.result).code).toBe(0);
    expect(await json('status')).toMatchObject({
      runtime: { kind: 'process' },
      containers: { running: 0 },
      messages: { completed: 1 },
      daemon: { running: false, pid: null },
      lastSweep: { errors: 0 },
    });
  });

  it('a daemon that was killed leaves a data dir that can be used at once', async () => {
    const running = await startDaemon();
    running.child.kill('SIGKILL');
    await running.result;
    expect(existsSync(join(dataDir, 'nightporter.sock'))).toBe(true);
    expect((await cli('send', 'demo/first', 'hello')).stdout).toContain('no daemon runs');
    expect(await json('status')).toMatchObject({ daemon: { running: false }, messages: { spooled: 1 } });
    await startDaemon();
  });
});

describe('sweep without a daemon', () => {
  it('the dry run lists what it would do and does nothing', async () => {
    await cli('send', 'demo/first', 'hello');
    const dry = await cli('sweep', '--dry-run', '--runtime', 'process', '--json');
    expect(dry).toMatchObject({ code: 0 });
    expect(JSON.parse(dry.stdout)).toMatchObject({
      dryRun: true,
      actions: expect.arrayContaining([
        expect.objectContaining({
          session: 'demo/first',
          action: expect.any(String) as string,
          reason: expect.any(String) as string,
        }),
      ]) as unknown,
      counts: { swept: 1, errors: 0 },
    });
    expect(await json('status')).toMatchObject({ messages: { spooled: 1 }, containers: { running: 0 } });
  });
});
