import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectDaemon } from '../../../src/cli/daemon-client.js';
import { runCli as runInside } from '../../../src/cli/run-cli.js';
import { createHost } from '../../../src/daemon.js';
import type { DeskApi } from '../../../src/desk/api.js';
import { deskApi } from '../../../src/desk/desk-api.js';
import type { DeadLetterView, DeadMessageView, PurgedView, RetriedView } from '../../../src/desk/views.js';
import type { HttpServer } from '../../../src/http/server.js';
import { serveHttp } from '../../../src/http/server.js';
import { epochOf } from '../../../src/protocol/address.js';
import type { MessageId, SessionAddress } from '../../../src/protocol/address.js';
import { runCli } from '../../support/cli.js';
import { makeDataDir, openDeskFixture } from '../../support/desk-fixture.js';
import type { DeskFixture } from '../../support/desk-fixture.js';
import { runSql } from '../../support/session-files-fixture.js';

const A = 'demo/first' as SessionAddress;
const ODD = "it's/odd & all" as MessageId;

let fixture: DeskFixture;
let server: HttpServer | undefined;
let remote: DeskApi;

beforeEach(async () => {
  fixture = openDeskFixture();
  server = await serveHttp({ desk: fixture.desk });
  const connection = await connectDaemon(server.socketPath);
  if (connection === undefined) throw new Error('nobody listens');
  remote = connection.api;
  await dead('m1', 'no such file');
  await dead('m2', 'gave \u001b[31mup');
  fixture.rounds.hints.length = 0;
});
afterEach(async () => {
  await server?.close();
  await fixture.close();
});

async function dead(id: string, error: string): Promise<void> {
  await remote.send({ session: A, text: `text of ${id}`, id });
  await fixture.look(A);
  const inbound = join(fixture.dataDir, 'sessions', A, 'in/inbound.db');
  runSql(
    inbound,
    `UPDATE messages_in SET status = 'failed', error = '${error}', error_class = 'fatal',
       finished_at = '2026-01-02T03:04:05Z' WHERE id = '${id}'`,
  );
  await fixture.look(A);
}

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', fixture.dataDir]);
const oneLine = (pattern: RegExp): RegExp => new RegExp(`^nightporter: [^\\n]*${pattern.source}[^\\n]*\\n$`);

describe('what is typed wrong', () => {
  it.each<[readonly string[], RegExp]>([
    [['dead', 'retry'], /no id and no --all/],
    [['dead', 'retry', 'demo/first'], /no id and no --all: name the dead letters of demo\/first/],
    [['dead', 'purge', '--group', 'demo', '--yes'], /no id and no --all/],
    [['dead', 'retry', 'order-4711'], /"order-4711" is no session address/],
    [['dead', 'retry', 'demo/first', 'm1', '--all'], /ids say which ones by themselves/],
    [['dead', 'purge', 'demo/first', 'm1'], /nobody can be asked here whether to purge: add --yes/],
    [
      ['dead', 'purge', '--all', '--older-than', '7'],
      /"7" is no duration for --older-than: write it like 90m, 12h or 7d/,
    ],
    [['dead', 'list', '--newer-than', 'soon'], /"soon" is no duration for --newer-than/],
    [['dead', 'list', '--limit', '0'], /"0" is no number for --limit/],
    [['dead', 'list', '--limit', 'many'], /"many" is no number for --limit/],
    [['dead', 'show', 'demo/first'], /missing required argument 'id'/],
  ])('%j: exit 2, one line, nothing made', async (args, message) => {
    const dataDir = join(fixture.dataDir, 'none');
    const result = await runCli([...args, '--data-dir', dataDir]);
    expect(result.stderr).toMatch(oneLine(message));
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(existsSync(dataDir)).toBe(false);
  });

  it.each([['list'], ['show', 'a/b', 'm'], ['retry', '--all', '--dry-run'], ['purge', '--all', '--dry-run']])(
    'dead %s %s: exit 3 where there is no data, and none is made (F32)',
    async (...args) => {
      const dataDir = join(fixture.dataDir, 'none');
      expect(await runCli(['dead', ...args, '--data-dir', dataDir])).toMatchObject({ code: 3, stdout: '' });
      expect(existsSync(dataDir)).toBe(false);
    },
  );

  it.each([['show'], ['retry'], ['purge']])('dead %s --help is on stdout with examples', async (name) => {
    const result = await runCli(['dead', name, '--help']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain('Examples:');
  });
});

describe('through a daemon', () => {
  it('answers as the desk does in its own process, with the same words when it refuses', async () => {
    const local = deskApi(fixture.desk);
    const rows = async (api: DeskApi) => {
      const found = [];
      for await (const row of api.deadLetters({ group: 'demo', limit: 5, purged: true, newerThan: '9999d' }))
        found.push(row);
      return found;
    };
    expect(await rows(remote)).toHaveLength(2);
    expect(await rows(remote)).toEqual(await rows(local));
    expect(await remote.showDead(A, 'm1')).toEqual(await local.showDead(A, 'm1'));
    const questions: ((api: DeskApi) => Promise<unknown>)[] = [
      (api) => api.showDead(A, ODD),
      (api) => api.showDead('demo/none', 'm1'),
      (api) => api.retryDead({}),
      (api) => api.retryDead({ session: A, ids: ['m1', 'none'] }),
      (api) => api.purgeDead({ session: A, ids: [] }),
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
    expect(await remote.retryDead({ session: A, all: true, dryRun: true })).toMatchObject({ retried: [{}, {}] });
  });

  it('list and show print for people and for scripts, and steer no terminal', async () => {
    const list = await cli('dead', 'list', '--class', 'fatal');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout.split('\n')).toHaveLength(3);
    expect(list.stdout).not.toContain('\u001b');
    expect(JSON.parse((await cli('dead', 'list', '--json', '--reason', 'fatal')).stdout)).toHaveLength(2);
    expect((await cli('dead', 'list', '--reason', 'other')).stdout).toBe('no dead letters\n');
    expect((await cli('dead', 'list', '--reason', 'other', '--json')).stdout).toBe('[]\n');

    fixture.registry.recordTurnEnds(A, [
      {
        ...{ id: 'm1' as MessageId, attempt: 0, epoch: epochOf(1), endedAtMs: 1, outcome: 'fail' },
        reason: 'fatal',
        error: 'no',
        errorClass: 'fatal',
      } as never,
    ]);
    const epoch = fixture.registry.beginIncarnation(A, { atLeast: epochOf(0), specHash: 'x', atMs: 1, answersMark: 0 });
    fixture.registry.endIncarnation(A, epoch, {
      ...{ stoppedAtMs: 2, exitCode: 7, signal: null, oomKilled: true, turnsCompleted: 0, fruitless: false },
      output: Array.from({ length: 50 }, (_, line) => `line ${String(line)}\n`).join(''),
    });
    const text = (await cli('dead', 'show', A, 'm1')).stdout;
    expect(text).toContain('text of m1');
    expect(text).toContain('attempt 0  1970-01-01 00:00:00  fail, fatal; run 1 (exit code 7, out of memory)');
    expect(text).toContain('    line 49\n');
    expect(text).not.toContain('line 39\n');
    expect(text).toContain('  nightporter dead retry demo/first m1: try it again');
    const view = JSON.parse((await cli('dead', 'show', A, 'm1', '--json')).stdout) as DeadMessageView;
    expect(view.ends[0]).toMatchObject({
      exitCode: 7,
      oomKilled: true,
      lastOutput: expect.stringContaining('line 0\n') as string,
    });
    expect(await cli('dead', 'show', A, 'none')).toMatchObject({ code: 3, stdout: '' });
  });

  it('retry: lists with --dry-run, asks for it without, refuses with 5 what is not dead', async () => {
    const dry = await cli('dead', 'retry', A, '--all', '--dry-run');
    expect(dry.stdout).toBe(
      'would be tried again: demo/first m2, attempt 1\nwould be tried again: demo/first m1, attempt 1\n2 dead letters would be tried again\n',
    );
    expect(fixture.registry.replays(A)).toEqual([]);
    expect(await cli('dead', 'retry', A, 'm1')).toEqual({
      code: 0,
      stdout: 'tried again: demo/first m1, attempt 1\n',
      stderr: '',
    });
    expect(fixture.rounds.hints).toEqual([A]);
    const view = JSON.parse((await cli('dead', 'retry', '--all', '--json')).stdout) as RetriedView;
    expect(view).toMatchObject({ dryRun: false, retried: [{ id: 'm2' }, { id: 'm1' }], problems: [] });
    expect((await cli('dead', 'list')).stdout).toContain('to be tried again');
    fixture.registry.saveGuard(A, { ...fixture.registry.guard(A), heldSinceMs: 1, holdReason: 'oom_kills' });
    expect((await cli('dead', 'retry', A, 'm1')).stdout).toContain('is held, it waits for');
    await remote.send({ session: A, text: 'x', id: 'm3' });
    await fixture.look(A);
    const refused = await cli('dead', 'retry', A, 'm3');
    expect(refused).toMatchObject({ code: 5, stdout: '' });
    expect(refused.stderr).toMatch(oneLine(/message "m3" of demo\/first is not dead: it is pending/));
    expect((await cli('dead', 'retry', '--reason', 'none')).stdout).toBe('no dead letters to be tried again\n');
  });

  it('purge: --yes, --dry-run, then hidden but with --purged', async () => {
    expect((await cli('dead', 'purge', '--all', '--dry-run')).stdout).toContain('2 dead letters would be purged\n');
    expect((await cli('dead', 'purge', '--older-than', '1h', '--limit', '1', '--yes')).stdout).toBe(
      'purged 1 dead letter\n',
    );
    const view = JSON.parse((await cli('dead', 'purge', A, 'm1', '--yes', '--json')).stdout) as PurgedView;
    expect(view).toMatchObject({ dryRun: false, purged: [{ session: A, id: 'm1' }] });
    expect((await cli('dead', 'list')).stdout).toBe('no dead letters\n');
    const all = JSON.parse((await cli('dead', 'list', '--purged', '--json')).stdout) as DeadLetterView[];
    expect(all.map(({ purgedAt }) => typeof purgedAt)).toEqual(['string', 'string']);
    expect((await cli('dead', 'list', '--purged')).stdout).toContain('(purged)');
    expect((await cli('dead', 'purge', '--all', '--yes')).stdout).toBe('purged no dead letters\n');
    expect((await cli('status')).stdout).toContain('nothing needs attention');
  });
});

describe('on a terminal', () => {
  /** The same command line in this process, with somebody who answers. */
  async function asked(answer: string, ...args: readonly string[]) {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    stdin.end(answer);
    const code = await runInside({
      argv: ['dead', 'purge', ...args],
      version: '0',
      ...{ stdin, stdout, stderr },
      dataDirOf: () => fixture.dataDir,
      host: () => Promise.resolve(createHost()),
      interruptions: () => new AbortController().signal,
    });
    return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
  }

  it.each(['', '\n', 'n\n', 'no\n', 'yess\n'])('purge asks first, and %j is no yes', async (answer) => {
    const result = await asked(answer, '--all');
    expect(result).toEqual({
      code: 0,
      stdout: '',
      stderr: 'nightporter: purge 2 dead letters? y/N\nnightporter: nothing was purged\n',
    });
    expect((await cli('dead', 'list', '--json')).stdout).toContain('m1');
  });

  it.each(['y\n', 'YES\n', 'y'])('%j is one', async (answer) => {
    const result = await asked(answer, A, 'm1');
    expect(result).toMatchObject({ code: 0, stdout: 'purged 1 dead letter\n' });
  });

  it('does not ask about nothing', async () => {
    expect(await asked('', '--all', '--reason', 'none')).toMatchObject({
      stdout: 'purged no dead letters\n',
      stderr: '',
    });
  });
});

describe('without a daemon', () => {
  it('retry and purge hold the lock, and say what they wait for; list and show only read', async () => {
    const dataDir = makeDataDir('alone');
    try {
      const alone = (...args: readonly string[]) => runCli([...args, '--data-dir', dataDir]);
      const other = openDeskFixture({ dataDir, daemon: false });
      await deskApi(other.desk).send({ session: A, text: 'x', id: 'm1' });
      await other.look(A);
      runSql(join(dataDir, 'sessions', A, 'in/inbound.db'), "UPDATE messages_in SET status = 'failed'");
      await other.look(A);
      await other.files.close();
      other.registry.close();

      expect((await alone('dead', 'list')).stdout).toContain('demo/first m1');
      expect((await alone('dead', 'show', A, 'm1')).stdout).toContain('status   failed');
      expect((await alone('dead', 'purge', A, 'm1', '--yes')).stdout).toBe('purged 1 dead letter\n');
      expect((await alone('status', '--json')).stdout).toContain('"failed": 0');
      const retried = await alone('dead', 'retry', A, 'm1');
      expect(retried.stdout).toBe(
        'tried again: demo/first m1, attempt 1; no daemon runs, it waits for "nightporter start"\n',
      );
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
