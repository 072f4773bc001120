import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { eventually } from '../../support/eventually.js';
import { isAlive, RunnerSession, script } from '../../support/runner-session.js';

/** Says that it runs (its pid in `started`), and waits for the file `go`. */
const GATED = script('echo $$ >> started; while [ ! -e go ]; do sleep 0.02; done; echo done');

describe('a turn of the runner', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  const programPid = (): Promise<number> =>
    eventually('the program runs', () => {
      const pid = Number.parseInt(session.file('started')?.trim().split('\n').at(-1) ?? '', 10);
      return Number.isNaN(pid) ? undefined : pid;
    });

  it('F23 beats from its own timer while a program runs, and does not call that progress', async () => {
    session.enqueue({ id: 'm' });
    session.start({ command: GATED });
    await programPid();
    const progress = session.state()?.progress_at;
    expect(progress).toBeTruthy();
    const beats = new Set<number>();
    await eventually('20 beats', () => {
      const beat = session.heartbeatMs();
      if (beat !== undefined) beats.add(beat);
      return beats.size >= 20;
    });
    expect(session.state()).toMatchObject({ progress_at: progress, heartbeat_interval_ms: 50, incarnation: 1 });
    session.touch('go');
    await session.untilAcked('completed', 'm');
  });

  it("F23 takes a program's output for progress, at most once a second", async () => {
    session.enqueue({ id: 'm' });
    session.start({ command: script('while [ ! -e go ]; do echo x >&2; sleep 0.02; done; echo done') });
    const seen = new Set<string>();
    const startedAtMs = performance.now();
    await eventually('three signs of progress', () => {
      const progress = session.state()?.progress_at;
      if (typeof progress === 'string') seen.add(progress);
      return seen.size >= 3;
    });
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_500);
    session.touch('go');
    await session.untilAcked('completed', 'm');
  });

  it('declares itself when there is nothing to do', async () => {
    session.start({ epoch: 9 });
    await eventually('declared', () => session.state()?.incarnation === 9);
    expect(session.state()).toMatchObject({ heartbeat_interval_ms: 50, progress_at: null, current_tool: null });
    expect(session.heartbeatMs()).toBeDefined();
  });

  it('F26 leaves what arrives during a turn for the next one, unacknowledged when it is killed', async () => {
    session.enqueue({ id: 'm1' });
    const runner = session.start({ command: GATED });
    const pid = await programPid();
    session.enqueue({ id: 'm2' });
    const beat = session.heartbeatMs() ?? 0;
    await eventually('it lives on', () => (session.heartbeatMs() ?? 0) > beat + 300);
    await runner.kill('SIGKILL');
    expect(session.acks().map((row) => [row.message_id, row.status])).toEqual([['m1', 'processing']]);
    expect(session.answers()).toEqual([]);
    await eventually('the program is gone too', () => !isAlive(pid));
  });

  it('F26 answers what arrived during a turn with a turn of its own', async () => {
    session.enqueue({ id: 'm1' });
    session.start({ command: GATED });
    await programPid();
    session.enqueue({ id: 'm2' });
    session.touch('go');
    await session.untilAcked('completed', 'm1', 'm2');
    expect(session.replies()).toEqual([
      ['m1', 'done'],
      ['m2', 'done'],
    ]);
    const [m1, m2] = session.acks();
    expect(Date.parse(m2?.status_changed ?? '')).toBeGreaterThan(Date.parse(m1?.status_changed ?? ''));
  });

  it('copies the addresses of the message into its answer', async () => {
    session.enqueue({ id: 'm', text: 'hello' });
    session.start();
    await session.untilAcked('completed', 'm');
    expect(session.answers()[0]).toMatchObject({
      seq: 3,
      in_reply_to: 'm',
      kind: 'chat',
      platform_id: 'p1',
      channel_type: 'web',
      thread_id: 't1',
      content: '{"text":"hello"}',
    });
  });

  it('writes nothing of a turn whose claim another incarnation took over', async () => {
    session.enqueue({ id: 'm' });
    const runner = session.start({ command: GATED });
    await programPid();
    session.writeOutbound((db) => db.exec('UPDATE processing_ack SET incarnation = 2'));
    session.touch('go');
    expect(await runner.end()).toEqual({ code: 75, signal: null });
    expect(session.answers()).toEqual([]);
    expect(session.ack('m')).toMatchObject({ status: 'processing', incarnation: 2 });
  });

  it('F35 keeps the answer, and beats, while its file cannot be written, and writes it as soon as it can', async () => {
    session.enqueue({ id: 'm' });
    const runner = session.start({ command: GATED });
    await programPid();
    const reader = new Database(session.outbound, { readonly: true });
    try {
      reader.exec('BEGIN; SELECT count(*) FROM processing_ack');
      session.touch('go');
      await eventually('it says so', () => runner.logged('outbound.db cannot be written, trying again').length > 0);
      const beat = session.heartbeatMs() ?? 0;
      await eventually('it beats', () => (session.heartbeatMs() ?? 0) > beat);
    } finally {
      reader.close();
    }
    await session.untilAcked('completed', 'm');
    expect(session.replies()).toEqual([['m', 'done']]);
  });

  it('is answered and acknowledged in one: killed anywhere, there is never one without the other', async () => {
    const seed = 20_240_229;
    const random = mulberry(seed);
    const ids = Array.from({ length: 120 }, (_, index) => `m${String(index)}`);
    session.enqueue(...ids.map((id) => ({ id })));
    let kills = 0;
    for (let epoch = 1; session.acks().filter((row) => row.status === 'completed').length < ids.length; epoch += 1) {
      expect(epoch, `seed ${String(seed)}`).toBeLessThan(100);
      const before = session.answers().length;
      const runner = session.start({ epoch, env: { [RUNNER_ENV.maxClaims]: '2' } });
      await eventually('it works', () => session.answers().length > before, { intervalMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, random() * 40));
      await runner.kill('SIGKILL');
      kills += 1;
      session.writeOutbound((db) => db.exec("DELETE FROM processing_ack WHERE status = 'processing'"));
      const completed = session.acks().map((row) => row.message_id);
      const answered = session.answers().map((row) => row.in_reply_to);
      expect(answered.toSorted(), `seed ${String(seed)}, epoch ${String(epoch)}`).toEqual(completed.toSorted());
    }
    expect(kills).toBeGreaterThan(2);
    expect(session.replies()).toEqual(ids.map((id) => [id, id]));
  }, 60_000);
});

/** Small seeded generator of numbers from 0 to 1. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
