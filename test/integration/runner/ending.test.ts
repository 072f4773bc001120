import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { eventually } from '../../support/eventually.js';
import { isAlive, RunnerSession, script } from '../../support/runner-session.js';

const EXITED = (code: number) => ({ code, signal: null });

describe('the end of the runner', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  const pidIn = (name: string): Promise<number> =>
    eventually(`a pid in ${name}`, () => {
      const pid = Number.parseInt(session.file(name) ?? '', 10);
      return Number.isNaN(pid) ? undefined : pid;
    });

  it('is 0 after the idle time, counted from the last turn', async () => {
    session.enqueue({ id: 'm' });
    const startedAtMs = performance.now();
    const runner = session.start({ env: { [RUNNER_ENV.idleMs]: '700' } });
    expect(await runner.end()).toEqual(EXITED(0));
    expect(performance.now() - startedAtMs).toBeGreaterThan(700);
    expect(session.ack('m')?.status).toBe('completed');
    expect(runner.logged('runner ends')[0]).toMatchObject({ reason: 'idle' });
  });

  it('is 0 at once on TERM when idle', async () => {
    const runner = session.start();
    await eventually('it runs', () => session.state() !== undefined);
    const startedAtMs = performance.now();
    expect(await runner.kill('SIGTERM')).toEqual(EXITED(0));
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  it('comes between two turns of a burst on TERM, nothing half done', async () => {
    const ids = Array.from({ length: 60 }, (_, index) => `m${String(index)}`);
    session.enqueue(...ids.map((id) => ({ id })));
    const runner = session.start({ env: { [RUNNER_ENV.maxClaims]: '1' } });
    await eventually('it works', () => session.answers().length > 0, { intervalMs: 1 });
    expect(await runner.kill('SIGTERM')).toEqual(EXITED(0));
    const completed = session.acks();
    expect(completed.length).toBeLessThan(ids.length);
    expect(completed.every((row) => row.status === 'completed')).toBe(true);
    expect(session.replies().map(([id]) => id)).toEqual(completed.map((row) => row.message_id));
  });

  it('waits on TERM for a program that finishes, and answers', async () => {
    session.enqueue({ id: 'm' }, { id: 'next' });
    const runner = session.start({
      command: script('trap "touch told" TERM; echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo done'),
    });
    await pidIn('pid');
    runner.signal('SIGTERM');
    await eventually('the program is told', () => session.file('told') !== undefined);
    session.touch('go');
    expect(await runner.end()).toEqual(EXITED(0));
    expect(session.replies()).toEqual([['m', 'done']]);
    expect(session.ack('m')?.status).toBe('completed');
    expect(session.ack('next')).toBeUndefined();
  });

  it.each([
    ['dies of it', 'sleep 300'],
    ['leaves with an error', 'trap "exit 65" TERM; while :; do sleep 0.02; done'],
    ['leaves without a word', 'trap "exit 0" TERM; while :; do sleep 0.02; done'],
  ])('releases the claim on TERM when the program %s', async (_how, text) => {
    session.enqueue({ id: 'context', trigger: false }, { id: 'm' });
    const runner = session.start({ command: script(`echo $$ > pid; ${text}; echo half`) });
    const pid = await pidIn('pid');
    expect(session.acks().map((row) => row.status)).toEqual(['processing', 'processing']);
    expect(await runner.kill('SIGTERM')).toEqual(EXITED(0));
    expect(session.acks()).toEqual([]);
    expect(session.answers()).toEqual([]);
    expect(isAlive(pid)).toBe(false);
  });

  it('kills a program that outlives the grace less 2 s, releases its claim and leaves nothing behind', async () => {
    session.enqueue({ id: 'm' });
    const runner = session.start({
      command: script('trap "" TERM; sleep 300 & echo $! > child; echo $$ > pid; wait; echo half'),
      env: { [RUNNER_ENV.stopGraceMs]: '2500' },
    });
    const pid = await pidIn('pid');
    const child = await pidIn('child');
    const startedAtMs = performance.now();
    expect(await runner.kill('SIGTERM')).toEqual(EXITED(0));
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeGreaterThan(450);
    expect(tookMs).toBeLessThan(2_500);
    expect(session.acks()).toEqual([]);
    expect(isAlive(pid) || isAlive(child)).toBe(false);
  });

  it('is at once on a second TERM: the claim stays, the program goes', async () => {
    session.enqueue({ id: 'm' });
    const runner = session.start({
      command: script('trap "touch told" TERM; echo $$ > pid; while :; do sleep 0.02; done'),
    });
    const pid = await pidIn('pid');
    runner.signal('SIGTERM');
    await eventually('the program is told', () => session.file('told') !== undefined);
    expect(await runner.kill('SIGTERM')).toEqual(EXITED(143));
    expect(session.ack('m')?.status).toBe('processing');
    await eventually('the program is gone', () => !isAlive(pid));
  });

  it('takes the program along when it is killed, grandchildren too', async () => {
    session.enqueue({ id: 'm' });
    const runner = session.start({
      command: script('sleep 300 & echo $! > child; echo $$ > pid; echo begun >&2; wait'),
    });
    const pid = await pidIn('pid');
    const child = await pidIn('child');
    // What it says has reached the runner, which therefore has it on its leash.
    await eventually('it is on the leash', () => runner.output.includes('begun'));
    await runner.kill('SIGKILL');
    await eventually('both are gone', () => !isAlive(pid) && !isAlive(child));
    expect(session.ack('m')?.status).toBe('processing');
  });

  it('takes an old runner for gone and leaves its claims to the host', async () => {
    session.enqueue({ id: 'm' });
    const first = session.start({ command: script('echo $$ > pid; sleep 300') });
    await pidIn('pid');
    await first.kill('SIGKILL');
    session.enqueue({ id: 'n' });
    session.start({ epoch: 2 });
    await session.untilAcked('completed', 'n');
    expect(session.ack('m')).toMatchObject({ status: 'processing', incarnation: 1 });
  });

  it.each<[string, Record<string, string>, string[]]>([
    ['another protocol', { [RUNNER_ENV.protocol]: '2' }, ['NIGHTPORTER_PROTOCOL is \\"2\\"']],
    ['no workspace', { [RUNNER_ENV.workspace]: '' }, ['NIGHTPORTER_WORKSPACE is not set']],
    ['an unknown provider', { [RUNNER_ENV.provider]: 'clod' }, ['claude']],
    ['no command', { [RUNNER_ENV.provider]: 'command' }, ['NIGHTPORTER_COMMAND must be a JSON array']],
    ['no array', { [RUNNER_ENV.provider]: 'command', [RUNNER_ENV.command]: '"x"' }, ['must be a JSON array']],
    [
      'several mistakes',
      { [RUNNER_ENV.epoch]: 'x', [RUNNER_ENV.session]: 'nobody', [RUNNER_ENV.heartbeatMs]: '-5' },
      ['NIGHTPORTER_EPOCH must be', 'NIGHTPORTER_SESSION must be', 'NIGHTPORTER_HEARTBEAT_MS must be'],
    ],
  ])('is 64 with %s', async (_what, env, messages) => {
    const runner = session.start({ env });
    expect(await runner.end()).toEqual(EXITED(64));
    for (const message of messages) expect(runner.output).toContain(message);
  });

  it('is 66 without outbound.db, or with one that has no tables', async () => {
    rmSync(session.outbound);
    const missing = session.start();
    expect(await missing.end()).toEqual(EXITED(66));
    expect(missing.output).toContain('outbound.db');
    session.writeOutbound((db) => db.exec('CREATE TABLE messages_out (id TEXT)'));
    const empty = session.start();
    expect(await empty.end()).toEqual(EXITED(66));
    expect(empty.output).toContain('processing_ack');
  });
});
