import { afterEach, describe, expect, it } from 'vitest';
import { releaseGuard } from '../../../src/core/guard.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

let porter: TestPorter;

function open(options?: PorterOptions): TestPorter {
  porter = new TestPorter(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
});

const ROUND = 60_000;

describe('the life of a message', () => {
  it('wakes a container for an accepted message and completes it when it is acknowledged', async () => {
    const p = open();
    p.send('g/a', 'm1');
    const report = await p.round();
    expect(report.actions.map(({ action }) => action)).toEqual(['deliver', 'wake']);
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', tries: 0 });
    expect(p.registry.totals().messages).toMatchObject({ spooled: 0, pending: 0, processing: 0, completed: 1 });
  });

  it('F7: a message whose container dies after its claim takes six turns and ends as a dead letter', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    const due: number[] = [];
    for (let turn = 1; turn <= 6; turn += 1) {
      expect(p.running(), `turn ${turn}`).toEqual(['g/a']);
      p.ack('g/a', 'm1', 'processing');
      p.runtime.exit(session('g/a'), { exitCode: 1 });
      const before = p.clock.now();
      await p.look('g/a');
      const row = p.message('g/a', 'm1');
      if (turn < 6) {
        expect(row).toMatchObject({ status: 'pending', tries: turn, attempt: turn });
        due.push(Date.parse(String(row?.['process_after'])) - before);
        await p.pass(due.at(-1) ?? 0);
        await p.round();
      }
    }
    expect(due).toEqual([5_000, 10_000, 20_000, 40_000, 80_000]);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed', tries: 5, error_class: 'tries_spent' });
    expect(p.running()).toEqual([]);
    expect(p.notices()).toContain('dead_letter g/a');
    expect(p.runtime.started).toHaveLength(6);
  });

  it('F7, L17: a container that ends before it claims is started once and restarted three times, then held and probed', async () => {
    const p = open();
    p.runtime.program(session('g/a'), { exit: { exitCode: 3 } });
    p.send('g/a', 'm1');
    await p.round();
    expect(p.runtime.started).toHaveLength(1);
    for (const delayMs of [1_000, 2_000, 4_000]) {
      await p.pass(delayMs - 1);
      const before = p.runtime.started.length;
      await p.pass(1);
      expect(p.runtime.started).toHaveLength(before + 1);
    }
    await p.pass(10 * ROUND);
    expect(p.runtime.started).toHaveLength(4);
    expect(p.notices()).toContain('held g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', tries: 0 });
    await p.pass(5 * ROUND);
    expect(p.runtime.started).toHaveLength(5);
  });

  it('L17: messages of a held session are parked and visible, and no start replays them; a release does', async () => {
    const p = open();
    p.runtime.program(session('g/a'), { exit: { exitCode: 3 } });
    for (const id of ['m1', 'm2', 'm3']) p.send('g/a', id);
    await p.round();
    for (const delayMs of [1_000, 2_000, 4_000]) await p.pass(delayMs);
    p.runtime.program(session('g/a'), {});
    for (let starts = 0; starts < 3; starts += 1) {
      await p.restart();
      await p.round();
    }
    expect(p.runtime.started).toHaveLength(4);
    expect(p.registry.findSession(session('g/a'))).toMatchObject({ counts: { pending: 3, failed: 0 } });
    expect(p.registry.totals().sessions).toMatchObject({ held: 1 });
    p.registry.saveGuard(session('g/a'), releaseGuard());
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    for (const id of ['m1', 'm2', 'm3']) expect(p.message('g/a', id)).toMatchObject({ tries: 0, attempt: 0 });
  });

  it('L21: with many sessions at once claims, failures and resets stay where they are; counts are of what the files hold', async () => {
    const p = open({ settings: { MAX_CONCURRENT_CONTAINERS: 30 } });
    const names = Array.from({ length: 30 }, (_, index) => `g${String(index % 3)}/s${String(index)}`);
    for (const name of names) for (const id of ['m1', 'm2']) p.send(name, id);
    await p.round();
    expect(p.running()).toHaveLength(30);
    const [answered, crashed, failed] = [0, 1, 2].map((third) => names.filter((_, index) => index % 3 === third));
    for (const name of answered ?? []) p.ack(name, 'm1', 'completed');
    for (const name of crashed ?? []) p.ack(name, 'm1', 'processing');
    for (const name of failed ?? []) p.ack(name, 'm1', 'failed', { errorClass: 'fatal' });
    for (const name of crashed ?? []) p.runtime.exit(session(name), { exitCode: 1 });
    await p.round();
    const states = (some: readonly string[] | undefined) =>
      new Set(
        (some ?? []).map((name) =>
          JSON.stringify([p.message(name, 'm1')?.['status'], p.message(name, 'm1')?.['tries']]),
        ),
      );
    expect(states(answered)).toEqual(new Set(['["completed",0]']));
    expect(states(crashed)).toEqual(new Set(['["pending",1]']));
    expect(states(failed)).toEqual(new Set(['["failed",0]']));
    for (const name of names) expect(p.message(name, 'm2')).toMatchObject({ status: 'pending', tries: 0 });
    expect(p.registry.totals().messages).toMatchObject({
      spooled: 0,
      pending: 40,
      processing: 0,
      completed: 10,
      failed: 10,
    });
    await p.restart();
    expect(p.registry.totals().messages).toMatchObject({ pending: 40, completed: 10, failed: 10 });
  });

  it('F7: the guard remembers over a restart of the host', async () => {
    const p = open();
    p.runtime.program(session('g/a'), { exit: { exitCode: 3 } });
    p.send('g/a', 'm1');
    await p.round();
    for (const delayMs of [1_000, 2_000, 4_000]) await p.pass(delayMs);
    await p.restart();
    await p.round();
    await p.round();
    expect(p.runtime.started).toHaveLength(4);
    expect(p.registry.guard(session('g/a'))).toMatchObject({ fruitless: 4, holdReason: 'fruitless_starts' });
  });

  it('F8: a failed ack is never recorded as completed', async () => {
    const p = open();
    for (const errorClass of ['fatal', 'context_overflow', 'resume_invalid', undefined]) {
      const id = `m-${errorClass ?? 'none'}`;
      p.send('g/a', id);
      await p.round();
      p.ack('g/a', id, 'failed', { error: 'no', ...(errorClass === undefined ? {} : { errorClass }) });
      await p.look('g/a');
      expect(p.message('g/a', id)).toMatchObject({ status: 'failed', error: 'no' });
    }
  });

  it('tries a retryable failure again while its container runs on', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'failed', { error: 'try later', errorClass: 'retryable' });
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', tries: 1, attempt: 1 });
    expect(p.running()).toEqual(['g/a']);
  });

  it('a host killed between the two files of a settle does not count the claim twice', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    const [claim] = p.acks('g/a');
    p.runtime.exit(session('g/a'), { exitCode: 1 });
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1, settled_claim: null });
    // As the kill would have left it: counted in inbound.db, the row still in outbound.db.
    const mark = `${p.epoch('g/a')}:0:${String(claim?.['status_changed'])}`;
    const inbound = p.paths('g/a').inbound;
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(inbound);
    db.prepare('UPDATE messages_in SET settled_claim = ?').run(mark);
    db.close();
    p.write(
      'g/a',
      'INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation) VALUES (?, ?, ?, ?, ?)',
      'm1',
      'processing',
      claim?.['status_changed'],
      0,
      1,
    );
    await p.restart();
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1, settled_claim: null });
    expect(p.acks('g/a')).toEqual([]);
  });
});

describe('judging', () => {
  it('L22: stops a stale container with a stuck claim in the first round after the thresholds, tells of it once, and tries again', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.beat('g/a');
    for (let minute = 0; minute < 10; minute += 1) {
      await p.pass(ROUND);
      await p.round();
      expect(p.running()).toEqual(['g/a']);
    }
    await p.pass(ROUND);
    const report = await p.round();
    expect(report.actions).toContainEqual(expect.objectContaining({ action: 'stop', reason: 'stale_and_stuck' }));
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1 });
    expect(p.notices()).toEqual(['stopped g/a']);
    expect(p.registry.openNotices(10)).toMatchObject([{ count: 1 }]);
  });

  it('F23: never touches one that beats, however long its turn takes', async () => {
    const p = open({ settings: { NO_PROGRESS_MS: 86_400_000 } });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    for (let minute = 0; minute < 120; minute += 1) {
      p.beat('g/a');
      await p.pass(ROUND);
      await p.round();
    }
    expect(p.running()).toEqual(['g/a']);
    expect(p.epoch('g/a')).toBe(1);
  });

  it('F3: a fresh container is not judged by the claims and heartbeat of the one before', async () => {
    const p = open({ settings: { START_GRACE_MS: 0 } });
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.beat('g/a', p.clock.now() - 3_600_000);
    p.runtime.exit(session('g/a'));
    await p.look('g/a');
    await p.pass(5_000);
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    const report = await p.round();
    expect(report.actions.filter(({ action }) => action === 'stop')).toEqual([]);
    expect(p.epoch('g/a')).toBe(2);
  });

  it('F4: without a heartbeat file its start counts', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    for (let minute = 0; minute < 11; minute += 1) {
      await p.pass(ROUND);
      await p.round();
    }
    expect(p.message('g/a', 'm1')).toMatchObject({ tries: 1 });
  });

  it('F25: a container that leaves a due message unclaimed for 5 min is stopped with a notice', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    for (let minute = 0; minute < 6; minute += 1) {
      p.beat('g/a');
      await p.pass(ROUND);
      await p.round();
    }
    expect(p.notices()).toContain('not_claiming g/a');
    expect(
      p.registry.findIncarnation(
        session('g/a'),
        p.registry.incarnations(session('g/a'), 9).at(-1)?.epoch ?? (0 as never),
      ),
    ).toMatchObject({ stopReason: 'not_claiming', fruitless: true });
  });

  it('L22: a session whose starts are refused is told of at the third, and then at every tenth', async () => {
    const p = open();
    p.runtime.refuse(session('g/a'), 'no such image');
    p.send('g/a', 'm1');
    await p.round();
    const told: number[] = [];
    let before = 0;
    for (let starts = 1; starts <= 21; starts += 1) {
      expect(p.registry.guard(session('g/a')).fruitless).toBe(starts);
      const count = p.registry.openNotices(10).find(({ kind }) => kind === 'wake_failing')?.count ?? 0;
      if (count !== before) told.push(starts);
      before = count;
      await p.pass(15 * ROUND);
      await p.round();
    }
    expect(told).toEqual([3, 10, 20]);
  });

  it('L22: stops an idle container, which is no error and no notice', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'completed');
    for (let minute = 0; minute < 7; minute += 1) {
      p.beat('g/a');
      await p.pass(ROUND);
      await p.round();
    }
    expect(p.running()).toEqual([]);
    expect(p.notices()).toEqual([]);
    expect(p.registry.guard(session('g/a'))).toMatchObject({ fruitless: 0 });
  });

  it('F34: a slept night stops nothing in the first round after it', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'processing');
    p.beat('g/a');
    await p.pass(ROUND);
    await p.round();
    p.clock.jump(8 * 3_600_000);
    await p.pass(ROUND);
    const report = await p.round();
    expect(report.actions.filter(({ action }) => action === 'stop')).toEqual([]);
    expect(p.notices()).toContain('clock_jump -');
  });
});
