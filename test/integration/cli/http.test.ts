import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectDaemon } from '../../../src/cli/daemon-client.js';
import type { DeskApi } from '../../../src/desk/api.js';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { HttpServer } from '../../../src/http/server.js';
import { serveHttp } from '../../../src/http/server.js';
import { createMetrics } from '../../../src/observe/metrics.js';
import { epochOf, splitAddress } from '../../../src/protocol/address.js';
import type { MessageId, SessionAddress } from '../../../src/protocol/address.js';
import { runCli, startCli } from '../../support/cli.js';
import { chunksOf, makeDataDir, openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { eventually } from '../../support/eventually.js';
import { runSql } from '../../support/session-files-fixture.js';

let fixture: DeskFixture;
let server: HttpServer;
let remote: DeskApi;

async function open(options: Parameters<typeof openDeskFixture>[0] = {}): Promise<void> {
  fixture = openDeskFixture(options);
  server = await serveHttp({ desk: fixture.desk });
  const connection = await connectDaemon(server.socketPath);
  if (connection === undefined) throw new Error('nobody listens');
  remote = connection.api;
}

beforeEach(() => open());
afterEach(async () => {
  await server.close();
  await fixture.close();
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', fixture.dataDir]);

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
}

async function rowsOf<T>(rows: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

describe('the desk over the socket', () => {
  it('L25: replies leave out what an earlier attempt answered already, unless asked for it', async () => {
    await remote.createSession({ session: 'demo/first' });
    const { address } = splitAddress('demo/first' as SessionAddress);
    const answer = (id: string, seq: number, at: string): void => {
      runSql(
        join(fixture.dataDir, 'sessions/demo/first/out/outbound.db'),
        `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content)
         VALUES ('${id}', ${String(seq)}, 'm1', '${at}', 'chat', '{"text":"done"}')`,
      );
    };
    answer('a1', 1, '2026-01-02T03:00:00.000Z');
    answer('a2', 3, '2026-01-02T03:00:09.000Z');
    const endedAtMs = Date.parse('2026-01-02T03:00:05.000Z');
    const end = { attempt: 0, epoch: epochOf(1), endedAtMs, outcome: 'retry', reason: 'unfinished_turn' } as const;
    fixture.desk.registry.recordTurnEnds(address, [{ ...end, id: 'm1' as MessageId, error: null, errorClass: null }]);
    const replies = async (...options: readonly string[]) =>
      JSON.parse((await cli('replies', 'demo/first', '--json', ...options)).stdout) as readonly unknown[];
    expect(await replies()).toMatchObject([{ id: 'a1' }]);
    expect(await replies('--duplicates')).toMatchObject([{ id: 'a1' }, { id: 'a2', duplicate: true }]);
    expect((await cli('replies', 'demo/first')).stdout.trim().split('\n')).toHaveLength(1);
  });

  it('L14: shows how many resume ids a provider did not know, to whoever scrapes', async () => {
    const { registry } = fixture.desk;
    await remote.createSession({ session: 'demo/first' });
    await server.close();
    server = await serveHttp({ desk: fixture.desk, metrics: createMetrics(registry) });
    const scrape = () => get(server.socketPath, '/metrics');
    expect(await scrape()).toContain('# TYPE nightporter_session_resume_failures_total counter');
    const { address } = splitAddress('demo/first' as SessionAddress);
    registry.noteResumeFailures(address, { claude: 2, codex: 1 });
    registry.noteResumeFailures(address, { claude: 3 });
    for (let scrapes = 0; scrapes < 2; scrapes += 1) {
      expect(await scrape()).toContain('nightporter_session_resume_failures_total{provider="claude"} 3\n');
    }
    expect(await scrape()).toContain('nightporter_session_resume_failures_total{provider="codex"} 1\n');
  });

  it('answers every question as the desk does in its own process', async () => {
    const local = deskApi(fixture.desk);
    await remote.createSession({ session: 'demo/first', command: 'sh -c "exit 0"' });
    await remote.send({ session: 'demo/first', text: 'x', id: 'm1' });
    const batch = '{"session":"demo/first","text":"y","id":"m2"}\n';
    expect(await remote.sendBatch(chunksOf(batch), undefined)).toEqual({ accepted: 1, duplicates: 0 });
    expect(await remote.sendBatch(chunksOf('{"text":"z"}'), 'demo/second')).toEqual({ accepted: 1, duplicates: 0 });
    expect(await remote.changeSession('demo/first', 'pin')).toMatchObject({ pinned: true, changed: true });

    expect(await remote.status()).toEqual(await local.status());
    expect(await remote.showSession('demo/first')).toEqual(await local.showSession('demo/first'));
    expect(await remote.replies('demo/first', 0)).toEqual(await local.replies('demo/first', 0));
    expect(await remote.logs('demo/first')).toEqual(await local.logs('demo/first'));
    expect(await remote.sweep({ dryRun: true })).toEqual(await local.sweep({ dryRun: true }));
    expect(await rowsOf(remote.sessions({ closed: true }))).toEqual(await rowsOf(local.sessions({ closed: true })));
    expect(await rowsOf(remote.deadLetters({}))).toEqual(await rowsOf(local.deadLetters({})));
    expect(await remote.drain()).toEqual({ stopped: 1, interrupted: [] });
  });

  it('refuses with the same code and words', async () => {
    const local = deskApi(fixture.desk);
    await local.send({ session: 'demo/first', text: 'x', id: 'm1' });
    const questions: ((api: DeskApi) => Promise<unknown>)[] = [
      (api) => api.send({ session: 'bad', text: 'x' }),
      (api) => api.send({ session: 'demo/first', text: 'y', id: 'm1' }),
      (api) => api.sendBatch(chunksOf('{"a":1}\n\n[]'), undefined),
      (api) => api.showSession('demo/none'),
      (api) => api.replies('demo/none', 0),
      (api) => api.logs('demo/none'),
      (api) => api.changeSession('demo/first', 'delete'),
      (api) => api.createSession({ session: 'demo/first' }),
      (api) => api.createSession({ session: 'demo/new', command: 'a | b' }),
      (api) => api.sweep({ dryRun: true, runtime: 'docker' }),
      (api) => rowsOf(api.deadLetters({ session: 'demo/none' })),
    ];
    for (const ask of questions) {
      const [here, there] = await Promise.all(
        [local, remote].map((api) =>
          ask(api).then(
            () => 'no error',
            (error: unknown) => error,
          ),
        ),
      );
      expect(here).toBeInstanceOf(Error);
      expect(there).toMatchObject({ code: (here as { code?: unknown }).code, message: (here as Error).message });
    }
  });

  it('refuses a text that is too large with the number, and reads it to the end first', async () => {
    await server.close();
    await fixture.close();
    await open({ messageMaxBytes: 1024 * 1024 });
    for (const mib of [2, 40]) {
      await expect(remote.send({ session: 'a/b', text: 'x'.repeat(mib * 1024 * 1024) })).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining('MESSAGE_MAX_BYTES') as string,
      });
    }
    await remote.send({ session: 'a/b', text: '\u0000'.repeat(100_000) });
    expect(await rowsOf(remote.sessions({ closed: false }))).toHaveLength(1);
  });

  it('takes a text of 10 MB on standard input', async () => {
    const text = 'ä'.repeat(5 * 1024 * 1024);
    const sent = await runCli(['send', 'a/b', '-', '--id', 'big', '--data-dir', fixture.dataDir], { input: text });
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    const { address } = [...fixture.registry.eachSession()][0] ?? {};
    if (address === undefined) throw new Error('no session');
    expect(JSON.parse(fixture.registry.spooled(address, 1)[0]?.content ?? '')).toEqual({ text });
  });

  it('says so when the daemon goes away in the middle of an answer', async () => {
    let release = (): void => undefined;
    fixture.rounds.sweep = () =>
      new Promise((resolve) => {
        release = () => {
          resolve(fixture.rounds.report);
        };
      });
    const asked = remote.sweep({ dryRun: false }).catch((error: unknown) => error);
    await server.close();
    expect(await asked).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('did not answer') as string,
    });
    release();
  });
});

describe('the socket', () => {
  it('is only its owner’s', () => {
    expect(statSync(server.socketPath).mode & 0o777).toBe(0o600);
    expect(server.socketPath).toBe(join(fixture.dataDir, 'nightporter.sock'));
  });

  it('is gone when the server is closed, and closing twice is safe (F30)', async () => {
    await Promise.all([server.close(), server.close()]);
    expect(existsSync(server.socketPath)).toBe(false);
    expect(await connectDaemon(server.socketPath)).toBeUndefined();
  });

  it('of a dead daemon is replaced', async () => {
    await server.close();
    await leaveDeadSocket(server.socketPath);
    expect(existsSync(server.socketPath)).toBe(true);
    expect(await connectDaemon(server.socketPath)).toBeUndefined();
    server = await serveHttp({ desk: fixture.desk });
    expect(await connectDaemon(server.socketPath)).toBeDefined();
  });

  it('does not replace a file that is no socket', async () => {
    await server.close();
    writeFileSync(server.socketPath, 'precious');
    await expect(serveHttp({ desk: fixture.desk })).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining('is no socket') as string,
    });
    expect(readFileSync(server.socketPath, 'utf8')).toBe('precious');
  });

  it('moves where its path would be cut, is noted, found, and leaves nothing behind', async () => {
    await server.close();
    await fixture.close();
    const folder = makeDataDir('long');
    const dataDir = join(folder, 'd'.repeat(100));
    mkdirSync(dataDir);
    await open({ dataDir });
    const { socketPath } = server;
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(100);
    expect(readFileSync(join(dataDir, 'nightporter.sock.path'), 'utf8').trim()).toBe(socketPath);
    expect(statSync(dirname(socketPath)).mode & 0o777).toBe(0o700);
    expect(await cli('send', 'a/b', 'x')).toMatchObject({ code: 0, stderr: '' });
    await server.close();
    expect(existsSync(dirname(socketPath))).toBe(false);
    expect(existsSync(join(dataDir, 'nightporter.sock.path'))).toBe(false);
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('the command line through a daemon', () => {
  it('prints what the desk says, as JSON', async () => {
    const sent = await cli('send', 'demo/first', 'hello', '--id', 'm1', '--json');
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(sent.stdout)).toEqual({ session: 'demo/first', id: 'm1', duplicate: false });
    expect(JSON.parse((await cli('status', '--json')).stdout)).toMatchObject({
      messages: { spooled: 1 },
      daemon: { running: true, pid: process.pid },
    });
    expect(JSON.parse((await cli('session', 'list', '--json')).stdout)).toMatchObject([{ session: 'demo/first' }]);
    expect(JSON.parse((await cli('dead', 'list', '--json')).stdout)).toEqual([]);
    expect(JSON.parse((await cli('sweep', '--json')).stdout)).toMatchObject({ actions: [], counts: { swept: 2 } });
  });

  it('takes options anywhere after the command, before it, and a text that begins with a dash', async () => {
    const dir = fixture.dataDir;
    expect((await runCli(['send', '--id', 'a', 'a/b', '--data-dir', dir, 'x', '--json'])).code).toBe(0);
    expect((await runCli(['--data-dir', dir, 'send', 'a/b', 'x', '--id=b'])).code).toBe(0);
    expect((await runCli(['session', '--data-dir', dir, 'list', '--json'])).code).toBe(0);
    expect((await runCli(['send', '--data-dir', dir, 'a/b', '--id', 'c', '--', '-5 degrees'])).code).toBe(0);
    const { address } = [...fixture.registry.eachSession()][0] ?? {};
    if (address === undefined) throw new Error('no session');
    expect(fixture.registry.spooled(address, 9)).toMatchObject([
      { id: 'a' },
      { id: 'b' },
      { id: 'c', content: '{"text":"-5 degrees"}' },
    ]);
  });

  it('lists all bad lines of a batch on stderr, exit 2', async () => {
    const input = '{"session":"a/b","text":"x"}\n{"session":"ab","text":"x"}\n7\n';
    const result = await runCli(['send', '--batch', '-', '--data-dir', fixture.dataDir], { input });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(
      /^nightporter: nothing was accepted: 2 lines are refused\n {2}line 2: .*\n {2}line 3: /,
    );
  });

  it('gives refusals and what is not found their exit codes', async () => {
    await cli('send', 'demo/first', 'x', '--id', 'm1');
    expect((await cli('send', 'demo/first', 'y', '--id', 'm1')).code).toBe(5);
    expect((await cli('session', 'show', 'demo/none')).code).toBe(3);
    expect((await cli('session', 'reopen', 'demo/first')).code).toBe(0);
    expect((await cli('session', 'delete', 'demo/first')).code).toBe(5);
  });

  it('drains, and says which turns were interrupted', async () => {
    expect(await remote.drain()).toMatchObject({ stopped: 1, interrupted: [] });
    await cli('send', 'demo/first', 'x');
    fixture.rounds.interrupted = [...fixture.registry.eachSession()].map(({ address }) => address);
    expect(await remote.drain()).toMatchObject({ interrupted: ['demo/first'] });
  });

  it('lists thousands of sessions as one JSON array, and stops quietly when nobody reads on', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `{"session":"g/s${String(index)}","text":"x"}`);
    await remote.sendBatch(chunksOf(lines.join('\n')), undefined);
    const all = JSON.parse((await cli('session', 'list', '--json')).stdout) as unknown[];
    expect(all).toHaveLength(5000);

    const impatient = startCli(['session', 'list', '--data-dir', fixture.dataDir]);
    impatient.child.stdout?.destroy();
    const { code, stderr } = await impatient.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('follows the answers until it is interrupted, over a restart of the daemon', async () => {
    await cli('session', 'create', 'demo/first');
    const file = join(fixture.dataDir, 'sessions/demo/first/out/outbound.db');
    const answer = (id: string, seq: number, text: string): void => {
      runSql(
        file,
        `INSERT INTO messages_out (id, seq, timestamp, kind, content)
         VALUES ('${id}', ${String(seq)}, '2026-01-02 03:04:05', 'chat', '${JSON.stringify({ text })}')`,
      );
    };
    answer('a1', 1, 'one');
    const following = startCli(['replies', 'demo/first', '--follow', '--json', '--data-dir', fixture.dataDir]);
    const ids = (): unknown[] =>
      following
        .stdout()
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { id: unknown }).id);
    await eventually('the first answer', () => ids().length === 1);
    answer('a2', 3, 'two');
    await eventually('the second answer', () => ids().length === 2);
    await server.close();
    server = await serveHttp({ desk: fixture.desk });
    answer('a3', 5, 'three');
    await eventually('the third answer', () => ids().length === 3);
    following.child.kill('SIGINT');
    const { code, stderr } = await following.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(ids()).toEqual(['a1', 'a2', 'a3']);
  });

  it('does not let an answer steer the terminal', async () => {
    await cli('session', 'create', 'demo/first');
    runSql(
      join(fixture.dataDir, 'sessions/demo/first/out/outbound.db'),
      `INSERT INTO messages_out (id, seq, timestamp, kind, content)
       VALUES ('a1', 1, '2026-01-02 03:04:05', 'chat', '{"text":"a\\u001b[2Jb\\nc"}')`,
    );
    expect((await cli('replies', 'demo/first')).stdout).toBe('2026-01-02 03:04:05  a\ufffd[2Jb\n    c\n');
  });
});

/** What a daemon leaves that was killed: a socket file that nobody listens on. */
async function leaveDeadSocket(path: string): Promise<void> {
  const listener = createServer();
  const elsewhere = `${path}.live`;
  await new Promise<void>((resolve) => {
    listener.listen(elsewhere, resolve);
  });
  // Closing removes the path it was made with: under another name the file stays.
  renameSync(elsewhere, path);
  await new Promise((resolve) => listener.close(resolve));
}
