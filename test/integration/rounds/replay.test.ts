import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { broken } from '../../support/broken.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';
import type { MessageId } from '../../../src/protocol/address.js';
import { formatInstant } from '../../../src/protocol/times.js';

let porter: TestPorter;

function open(options?: PorterOptions): TestPorter {
  porter = new TestPorter(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
});

const A = session('g/a');
const ROUND = 60_000;
const idOf = (id: string): MessageId => id as MessageId;

/** An ack as a runner that knows no attempts writes it. */
function foreignAck(p: TestPorter, id: string, status: string, errorClass: string | null = null): void {
  p.write(
    'g/a',
    'INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed, error, error_class) VALUES (?, ?, ?, ?, ?)',
    id,
    status,
    formatInstant(p.clock.now()),
    status === 'failed' ? 'no' : null,
    errorClass,
  );
}

/** m1 is dead, its container runs on. */
async function died(p: TestPorter, by: 'ours' | 'foreign'): Promise<void> {
  p.send('g/a', 'm1');
  await p.round();
  if (by === 'ours') p.ack('g/a', 'm1', 'failed', { error: 'no', errorClass: 'fatal' });
  else foreignAck(p, 'm1', 'failed', 'fatal');
  await p.look('g/a');
  expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed', attempt: 0 });
}

function ask(p: TestPorter, attempt = 0, id = 'm1'): void {
  p.registry.requestReplays(A, [{ id: idOf(id), attempt }], p.clock.now());
}

/** How each attempt ended: `attempt outcome reason epoch`. */
function ends(p: TestPorter, id = 'm1'): string[] {
  return p.registry
    .turnEnds(A, idOf(id))
    .map(({ attempt, outcome, reason, epoch }) => `${String(attempt)} ${outcome} ${reason} ${String(epoch)}`);
}

const counts = (p: TestPorter) => p.registry.totals().messages;

describe('a replay', () => {
  it("F24: of our runner's dead letter is a new attempt at once, and its old ack swallows nothing", async () => {
    const p = open();
    await died(p, 'ours');
    expect(p.notices()).toEqual(['dead_letter g/a']);
    ask(p);
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({
      ...{ status: 'pending', attempt: 1, tries: 0, deferrals: 0, error: null, error_class: null, finished_at: null },
    });
    expect(p.acks('g/a')).toMatchObject([{ status: 'failed', attempt: 0 }]);
    expect(p.registry.replays(A)).toEqual([]);
    expect(counts(p)).toMatchObject({ pending: 1, failed: 0 });
    expect(p.notices()).toEqual([]);
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', attempt: 1, tries: 0 });
    expect(ends(p)).toEqual(['0 fail fatal 1', '1 complete acked 1']);
    expect(p.runtime.started).toHaveLength(1);
  });

  it('wakes its session in the same look where nothing runs', async () => {
    const p = open();
    await died(p, 'ours');
    p.runtime.exit(A, {});
    await p.look('g/a');
    expect(p.running()).toEqual([]);
    ask(p);
    await p.look('g/a');
    expect(p.running()).toEqual(['g/a']);
    expect(p.runtime.started).toHaveLength(2);
  });

  it("F24: of a foreign runner's dead letter has its idle container recycled, and is answered once", async () => {
    const p = open();
    await died(p, 'foreign');
    ask(p);
    await p.look('g/a');
    // Recycled, settled, the ack row gone, woken again: all by hints.
    expect(p.registry.incarnations(A, 9).map(({ stopReason }) => stopReason)).toEqual([null, 'recycled']);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1, tries: 0 });
    expect(p.acks('g/a')).toEqual([]);
    expect(p.registry.guard(A)).toMatchObject({ fruitless: 0 });
    expect(p.registry.replays(A)).toEqual([]);
    foreignAck(p, 'm1', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    expect(p.runtime.started).toHaveLength(2);
  });

  it('of a foreign runner waits for the turn that runs', async () => {
    const p = open();
    await died(p, 'foreign');
    p.send('g/a', 'm2');
    await p.look('g/a');
    foreignAck(p, 'm2', 'processing');
    ask(p);
    await p.look('g/a');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(p.runtime.started).toHaveLength(1);
    expect(p.registry.replays(A)).toHaveLength(1);
    foreignAck(p, 'm2', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm2')).toMatchObject({ status: 'completed', tries: 0 });
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1 });
    expect(p.runtime.started).toHaveLength(2);
  });

  it('has the claim that a foreign runner left of it forgotten first, however long ago', async () => {
    const p = open();
    await died(p, 'foreign');
    p.runtime.exit(A, {});
    await p.look('g/a');
    foreignAck(p, 'm1', 'processing');
    p.write(
      'g/a',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
       INSERT INTO processing_ack (message_id, status, status_changed) SELECT 'x' || i, 'completed', 'now' FROM n`,
    );
    ask(p);
    await p.look('g/a');
    expect(p.acks('g/a').filter(({ message_id: id }) => id === 'm1')).toEqual([]);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1, tries: 0 });
    expect(p.running()).toEqual(['g/a']);
  });

  it('of what spent its tries has all of them again, and keeps the history of the six turns', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    const sixTurns = async (): Promise<void> => {
      for (let turn = 0; turn < 6; turn += 1) {
        p.ack('g/a', 'm1', 'processing');
        p.runtime.exit(A, { exitCode: 3 });
        await p.look('g/a');
        await p.pass(2 * ROUND);
      }
    };
    await sixTurns();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed', tries: 5, attempt: 5 });
    ask(p, 5);
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', tries: 0, attempt: 6 });
    await sixTurns();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed', tries: 5, attempt: 11 });
    const history = ends(p);
    expect(history).toHaveLength(12);
    expect(history[0]).toBe('0 retry unfinished_turn 1');
    expect(history[5]).toBe('5 fail tries_spent 6');
    expect(history[11]).toBe('11 fail tries_spent 12');
    expect(p.registry.turnEnds(A, idOf('m1'))[5]?.error).toContain('exit code 3');
  });

  it('is looked for again by the next daemon', async () => {
    const p = open();
    await died(p, 'ours');
    p.runtime.exit(A, {});
    await p.look('g/a');
    ask(p);
    await p.restart();
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1 });
    expect(p.running()).toEqual(['g/a']);
  });

  it.each(['suspended', 'held'] as const)('of a %s session waits there, and clears nothing of that', async (state) => {
    const p = open();
    await died(p, 'ours');
    p.runtime.exit(A, {});
    await p.look('g/a');
    if (state === 'suspended') p.registry.setStatus(A, 'suspended', p.clock.now(), null);
    else {
      const held = { ...p.registry.guard(A), settledFailures: 3, heldSinceMs: p.clock.now() };
      p.registry.saveGuard(A, { ...held, holdReason: 'settled_failures' });
    }
    ask(p);
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1 });
    expect(p.running()).toEqual([]);
    expect(p.registry.guard(A).heldSinceMs === null).toBe(state === 'suspended');
  });

  it('of a quarantined session waits for the release', async () => {
    const p = open();
    await died(p, 'ours');
    p.runtime.exit(A, {});
    await p.look('g/a');
    p.registry.setQuarantine(A, { file: 'outbound.db', detail: 'a link', sinceMs: p.clock.now() });
    ask(p);
    await p.look('g/a');
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed' });
    p.registry.setQuarantine(A, null);
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1 });
  });

  it('is shown by a dry run, which changes nothing', async () => {
    const p = open();
    await died(p, 'ours');
    ask(p);
    const { actions } = await p.rounds.sweep({ dryRun: true });
    expect(actions).toMatchObject([{ session: 'g/a', action: 'replay', reason: 'requested', message: 'm1', tries: 0 }]);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'failed' });
    expect(p.registry.replays(A)).toHaveLength(1);
  });

  it('of what is not dead is dropped', async () => {
    const p = open();
    await died(p, 'ours');
    p.send('g/a', 'm2');
    await p.look('g/a');
    ask(p, 0, 'm2');
    ask(p, 0, 'never-there');
    await p.look('g/a');
    expect(p.registry.replays(A)).toEqual([]);
    expect(p.message('g/a', 'm2')).toMatchObject({ status: 'pending', attempt: 0 });
  });
});

describe('a host that dies in a replay', () => {
  it.each(['before the file is written', 'between the file and the registry'])('%s: done once', async (moment) => {
    const p = open();
    await died(p, 'ours');
    p.runtime.exit(A, {});
    await p.look('g/a');
    ask(p);
    const [target, method] =
      moment === 'before the file is written' ? ([p.files, 'change'] as const) : ([p.registry, 'dropReplays'] as const);
    let isBroken = true;
    const breaking = broken(target, method as never, () => (isBroken ? new Error('killed') : undefined));
    await p.look('g/a');
    expect(breaking.calls).toBeGreaterThan(0);
    expect(p.registry.replays(A)).toHaveLength(1);
    const isWritten = moment !== 'before the file is written';
    expect(p.message('g/a', 'm1')).toMatchObject({ attempt: isWritten ? 1 : 0 });
    isBroken = false;
    await p.restart();
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1 });
    expect(p.registry.replays(A)).toEqual([]);
    expect(p.running()).toEqual(['g/a']);
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed', attempt: 1 });
  });

  it('after a foreign ack was deleted and before its message was re-armed: re-armed by the next look', async () => {
    const p = open();
    await died(p, 'foreign');
    p.runtime.exit(A, {});
    await p.look('g/a');
    ask(p);
    // As the kill leaves it.
    p.write('g/a', 'DELETE FROM processing_ack');
    await p.restart();
    await p.round();
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'pending', attempt: 1, tries: 0 });
  });
});

describe('the history of a message', () => {
  it('costs the usual case no row', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    expect(ends(p)).toEqual([]);
  });

  it('replaces what a plan that was not carried out said of an attempt', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'failed', { error: 'no', errorClass: 'fatal' });
    const holder = new Database(p.paths('g/a').inbound);
    holder.exec('BEGIN IMMEDIATE');
    p.rounds.hint(A);
    await p.rounds.settled();
    expect(ends(p)).toEqual(['0 fail fatal 1']);
    p.ack('g/a', 'm1', 'completed');
    holder.close();
    await p.pass(5_000);
    expect(p.message('g/a', 'm1')).toMatchObject({ status: 'completed' });
    expect(ends(p)).toEqual(['0 complete acked 1']);
  });

  it('tells retries, deferrals and turns that the host ended apart', async () => {
    const p = open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'failed', { error: 'later', errorClass: 'retryable' });
    await p.look('g/a');
    await p.pass(5_000);
    p.ack('g/a', 'm1', 'failed', { error: 'limited', errorClass: 'rate_limited' });
    await p.look('g/a');
    expect(ends(p)).toEqual(['0 retry acked_retryable 1', '1 defer rate_limited 1']);
    expect(p.registry.turnEnds(A, idOf('m1'))).toMatchObject([
      { error: 'later', errorClass: 'retryable' },
      { error: 'limited', errorClass: 'rate_limited' },
    ]);
  });

  it('goes with its session', async () => {
    const p = open();
    await died(p, 'ours');
    p.registry.deleteSession(A, 1_000);
    expect(ends(p)).toEqual([]);
    p.registry.recordTurnEnds(A, [
      {
        id: idOf('m1'),
        attempt: 0,
        epoch: 1 as never,
        endedAtMs: 1,
        outcome: 'fail',
        reason: 'x',
        error: null,
        errorClass: null,
      },
    ]);
    p.registry.requestReplays(A, [{ id: idOf('m1'), attempt: 0 }], 1);
    expect(ends(p)).toEqual([]);
    expect(p.registry.replays(A)).toEqual([]);
  });
});
