import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { built } from '../../support/built.js';
import { canMount, fillDisk, smallDisk } from '../../support/small-disk.js';
import {
  address,
  DEMO,
  makeDataDir,
  newMessage,
  openFiles,
  workersOf,
  type FilesFixture,
} from '../../support/session-files-fixture.js';

const fixtures: FilesFixture[] = [];
afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((fixture) => fixture.close()));
});

function open(options: Parameters<typeof openFiles>[0] = {}): FilesFixture {
  const fixture = openFiles(options);
  fixtures.push(fixture);
  return fixture;
}

function onlyWorker(fixture: FilesFixture): number {
  const [pid, ...others] = fixture.workers();
  if (pid === undefined || others.length > 0) throw new Error('not one child');
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the file workers', () => {
  it('F13: a call past its deadline is busy, its child killed and replaced, and the queue goes on', async () => {
    const fixture = open({ deadlineMs: 700 });
    await fixture.files.create(DEMO);
    const pid = onlyWorker(fixture);
    process.kill(pid, 'SIGSTOP');
    const startedAt = performance.now();
    const hung = fixture.look();
    const queued = ['a', 'b', 'c'].map((name) => fixture.files.create(address(`queued/${name}`)));
    expect(await hung).toEqual({ kind: 'busy', file: 'session files', detail: 'deadline' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(await Promise.all(queued)).toEqual([{ kind: 'ok' }, { kind: 'ok' }, { kind: 'ok' }]);
    await eventually('the hung child is gone', () => !isAlive(pid));
    await eventually('it is off the record', () => !fixture.workers().includes(pid));
    expect(await fixture.look()).toMatchObject({ kind: 'ok' });
  });

  it('a child that dies costs only its own call', async () => {
    const fixture = open({ deadlineMs: 60_000 });
    await fixture.files.create(DEMO);
    const pid = onlyWorker(fixture);
    process.kill(pid, 'SIGSTOP');
    const own = fixture.look();
    const queued = fixture.files.create(address('queued/a'));
    await setImmediate(); // Both calls are on their way by then; one sent to a dying child ends otherwise.
    process.kill(pid, 'SIGBUS');
    process.kill(pid, 'SIGCONT');
    expect(await own).toMatchObject({ kind: 'busy', detail: expect.stringContaining('SIGBUS') as string });
    expect(await queued).toEqual({ kind: 'ok' });
  });

  it('survive an error, which says what and where', async () => {
    const fixture = open();
    await fixture.files.create(DEMO);
    const pid = onlyWorker(fixture);
    rmSync(join(fixture.dataDir, 'sessions'), { recursive: true });
    writeFileSync(join(fixture.dataDir, 'sessions'), 'no folder');
    await expect(fixture.files.deliver(DEMO, [newMessage('m')])).resolves.toMatchObject({ kind: 'hostile' });
    rmSync(join(fixture.dataDir, 'sessions'));
    chmodSync(fixture.dataDir, 0o500);
    if (process.getuid?.() !== 0) {
      await expect(fixture.files.create(DEMO)).rejects.toMatchObject({
        code: 'failed',
        message: expect.stringMatching(/create demo\/first failed.*EACCES/) as string,
      });
    }
    chmodSync(fixture.dataDir, 0o700);
    expect(await fixture.files.create(DEMO)).toEqual({ kind: 'ok' });
    expect(onlyWorker(fixture)).toBe(pid);
  });

  it('that cannot be started reject their calls with what they said', async () => {
    const fixture = open({ childEntry: '/nowhere/child.js' });
    await expect(fixture.files.create(DEMO)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/do not start.*Cannot find module/s) as string,
    });
    await expect(fixture.files.create(DEMO)).rejects.toMatchObject({ code: 'failed' });
  });

  it('are gone after close, and calls under way are rejected', async () => {
    const fixture = open();
    await fixture.files.create(DEMO);
    const pid = onlyWorker(fixture);
    process.kill(pid, 'SIGSTOP');
    const call = fixture.look();
    const rejected = expect(call).rejects.toMatchObject({ code: 'failed' });
    await fixture.files.close();
    await fixture.files.close();
    await rejected;
    expect(isAlive(pid)).toBe(false);
    expect(fixture.workers()).toEqual([]);
    await expect(fixture.look()).rejects.toMatchObject({ code: 'failed' });
  });

  it('batches thousands of signatures in the order asked for', async () => {
    const fixture = open({ workers: 2 });
    await fixture.files.create(DEMO);
    const sessions = Array.from({ length: 2_100 }, (_, index) => (index % 3 === 0 ? DEMO : address('demo/none')));
    const signatures = await fixture.files.signatures(sessions);
    expect(signatures.map((signature) => signature !== null)).toEqual(sessions.map((session) => session === DEMO));
  });
});

/** A host process of its own, to be killed: makes a session, prints its child's pid, then waits. */
async function startHost(dataDir: string): Promise<{ readonly pid: number; kill(): Promise<void> }> {
  const code = `
    import { PooledSessionFiles } from ${JSON.stringify(built('src/store/session-files/pooled-session-files.js'))};
    const files = new PooledSessionFiles({ dataDir: process.argv[1], workers: 1, deadlineMs: 60000,
      childEntry: ${JSON.stringify(built('src/store/worker/child.js'))}, outboundMaxBytes: 1e9, outOwner: undefined });
    await files.create('demo/first');
    process.stdout.write('ready');
    setInterval(() => undefined, 1000);
  `;
  const host = spawn(process.execPath, ['--input-type=module', '-e', code, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) =>
    host.once('exit', () => {
      resolve();
    }),
  );
  await new Promise<void>((resolve, reject) => {
    host.stdout.once('data', () => {
      resolve();
    });
    host.once('exit', () => {
      reject(new Error('the host ended early'));
    });
  });
  return {
    pid: Number(host.pid),
    kill: async () => {
      host.kill('SIGKILL');
      await exited;
    },
  };
}

describe('file workers of a host that was killed', () => {
  it('leave by themselves when they can', async () => {
    const dataDir = makeDataDir();
    const host = await startHost(dataDir);
    const [child] = workersOf(dataDir);
    if (child === undefined) throw new Error('no child on record');
    await host.kill();
    await eventually('the child left', () => !isAlive(child));
    rmSync(dataDir, { recursive: true });
  });

  it('are ended by the next start when they cannot', async () => {
    const dataDir = makeDataDir();
    const host = await startHost(dataDir);
    const [child] = workersOf(dataDir);
    if (child === undefined) throw new Error('no child on record');
    process.kill(child, 'SIGSTOP');
    const beside = open({ dataDir });
    await beside.files.create(DEMO);
    expect(isAlive(child)).toBe(true); // its host is alive: not a leftover
    await beside.files.close();
    await host.kill();
    expect(isAlive(child)).toBe(true);
    const next = open({ dataDir });
    await next.files.create(DEMO);
    await eventually('the leftover was ended', () => !isAlive(child));
  });

  it('are not mistaken for a process that has their pid by now', async () => {
    const dataDir = makeDataDir();
    const host = await startHost(dataDir);
    await host.kill();
    const innocent = spawn('sleep', ['60']);
    const [entry] = JSON.parse(readFileSync(join(dataDir, 'workers.json'), 'utf8')) as { child: object }[];
    const forged = [{ ...entry, child: { ...entry?.child, pid: innocent.pid } }];
    writeFileSync(join(dataDir, 'workers.json'), JSON.stringify(forged));
    const next = open({ dataDir });
    await next.files.create(DEMO);
    expect(isAlive(Number(innocent.pid))).toBe(true);
    innocent.kill('SIGKILL');
  });

  // A file system of its own takes root.
  it.skipIf(!canMount())(
    'F35: on a full disk they work all the same, and their record is whole or as it was',
    async () => {
      const disk = smallDisk(4);
      const dataDir = join(disk, 'data');
      mkdirSync(dataDir);
      const free = fillDisk(disk);
      const fixture = open({ dataDir });
      expect(await fixture.look()).toMatchObject({ kind: 'missing' });
      expect(readdirSync(dataDir)).toEqual([]);
      free();
      await fixture.files.create(DEMO);
      await fixture.files.close();
      expect(readdirSync(dataDir).sort()).toEqual(['sessions', 'workers.json']);
    },
  );

  it("are not recorded by a host that was killed in the middle of it: what it left is removed, but nobody else's", async () => {
    const dataDir = makeDataDir();
    const gone = 2 ** 22 + 1;
    for (const pid of [gone, process.ppid]) writeFileSync(join(dataDir, `workers.json.${String(pid)}`), '[');
    const fixture = open({ dataDir });
    await fixture.files.create(DEMO);
    expect(readdirSync(dataDir).filter((name) => name.startsWith('workers.json.'))).toEqual([
      `workers.json.${String(process.ppid)}`,
    ]);
  });
});
