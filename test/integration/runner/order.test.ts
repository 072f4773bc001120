import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { eventually } from '../../support/eventually.js';
import { RunnerSession, script } from '../../support/runner-session.js';

const ids = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
const at = (offsetMs: number): string => new Date(Date.now() + offsetMs).toISOString();

describe('which messages the runner claims', () => {
  let session: RunnerSession;
  beforeEach(() => {
    session = new RunnerSession();
  });
  afterEach(() => session.dispose());

  it('F25 answers a burst of 25 oldest first, at most the given number per turn', async () => {
    session.enqueue(...ids(25).map((id) => ({ id })));
    const runner = session.start({ env: { [RUNNER_ENV.maxClaims]: '10' } });
    await session.untilAcked('completed', ...ids(25));
    expect(session.replies()).toEqual(ids(25).map((id) => [id, id]));
    expect(session.answers().every((row) => row.seq % 2 === 1)).toBe(true);
    await eventually('three turns', () => runner.logged('turn ended').length === 3);
    expect(runner.logged('turn started').map((line) => line['messages'])).toEqual([10, 10, 5]);
  });

  it('F25 is not kept from a due message by 10 context rows, and acknowledges them with it', async () => {
    session.enqueue(...ids(10, 'context').map((id) => ({ id, trigger: false })), { id: 'due' });
    session.start({ env: { [RUNNER_ENV.maxClaims]: '2' } });
    await session.untilAcked('completed', 'due', ...ids(10, 'context'));
    expect(session.replies()).toEqual([['due', 'due']]);
  });

  it('does not start a turn for context rows, nor take along those that came after the message', async () => {
    session.enqueue({ id: 'early', trigger: false }, { id: 'due' }, { id: 'late', trigger: false });
    session.start();
    await session.untilAcked('completed', 'due', 'early');
    session.enqueue({ id: 'next' });
    await session.untilAcked('completed', 'next', 'late');
    expect(session.replies()).toEqual([
      ['due', 'due'],
      ['next', 'next'],
    ]);
    expect(session.ack('late')?.status_changed).toBe(session.ack('next')?.status_changed);
  });

  it('F25 compares due times as instants, whatever their format, and then by seq', async () => {
    session.enqueue(
      { id: 'third', processAfter: at(-60_000) },
      { id: 'first', processAfter: '2020-05-01 10:00:00' },
      { id: 'second', processAfter: '2020-05-01T12:30:00+02:00' },
      { id: 'fourth' },
    );
    session.start();
    await session.untilAcked('completed', 'first', 'second', 'third', 'fourth');
    expect(session.replies().map(([id]) => id)).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('keeps the order of seq when the clock was set back between two messages', async () => {
    session.enqueue({ id: 'a', timestamp: at(3_600_000) }, { id: 'b', timestamp: at(-3_600_000) });
    session.enqueue({ id: 'c', timestamp: at(-7_200_000) });
    session.start();
    await session.untilAcked('completed', 'a', 'b', 'c');
    expect(session.replies().map(([id]) => id)).toEqual(['a', 'b', 'c']);
  });

  it('claims a message when it becomes due, without any change of the file', async () => {
    const dueAtMs = Date.now() + 3_000;
    session.enqueue({ id: 'later', processAfter: new Date(dueAtMs).toISOString() });
    session.start();
    await session.untilAcked('completed', 'later');
    const claimedAtMs = Date.parse(session.ack('later')?.status_changed ?? '');
    expect(claimedAtMs).toBeGreaterThanOrEqual(dueAtMs);
    expect(claimedAtMs).toBeLessThan(dueAtMs + 1_500);
  });

  it('leaves paused, completed and failed rows alone', async () => {
    session.enqueue({ id: 'paused' }, { id: 'completed' }, { id: 'failed' }, { id: 'pending' });
    session.writeInbound((db) =>
      db.exec("UPDATE messages_in SET status = id WHERE id IN ('paused', 'completed', 'failed')"),
    );
    session.start();
    await session.untilAcked('completed', 'pending');
    expect(session.acks().map((row) => row.message_id)).toEqual(['pending']);
  });

  it('F36 claims retried messages one at a time, alone', async () => {
    session.enqueue({ id: 'a' }, { id: 'b' }, { id: 'retried1', tries: 1 }, { id: 'retried2', tries: 2 }, { id: 'c' });
    const runner = session.start();
    await session.untilAcked('completed', 'a', 'b', 'retried1', 'retried2', 'c');
    expect(session.replies().map(([id]) => id)).toEqual(['a', 'b', 'retried1', 'retried2', 'c']);
    await eventually('four turns', () => runner.logged('turn ended').length === 4);
    expect(runner.logged('turn started').map((line) => line['messages'])).toEqual([2, 1, 1, 1]);
  });

  it('F36 gives a retried context row to one message alone', async () => {
    session.enqueue({ id: 'context', trigger: false, tries: 1 }, { id: 'a' }, { id: 'b' });
    const runner = session.start();
    await session.untilAcked('completed', 'context', 'a', 'b');
    await eventually('two turns', () => runner.logged('turn ended').length === 2);
    expect(runner.logged('turn started').map((line) => line['messages'])).toEqual([2, 1]);
  });

  it('gives on_wake messages to the first poll of an incarnation only, all of those that it saw', async () => {
    session.enqueue({ id: 'wake1', onWake: true }, { id: 'wake2', onWake: true });
    const first = session.start({ command: script('cat >/dev/null; echo ok') });
    await session.untilAcked('completed', 'wake1', 'wake2');
    session.enqueue({ id: 'wake3', onWake: true }, { id: 'plain' });
    await session.untilAcked('completed', 'plain');
    expect(session.ack('wake3')).toBeUndefined();
    await first.kill('SIGTERM');
    session.start({ epoch: 2 });
    await session.untilAcked('completed', 'wake3');
  });

  it('void is an ack of an older attempt: a re-armed message is claimed again', async () => {
    session.enqueue({ id: 'm', attempt: 4 });
    session.writeOutbound((db) => {
      db.exec(`INSERT INTO processing_ack (message_id, status, status_changed, attempt, error, error_class)
               VALUES ('m', 'failed', '2026-01-01T00:00:00.000Z', 3, 'boom', 'retryable')`);
    });
    session.start({ epoch: 7 });
    await session.untilAcked('completed', 'm');
    expect(session.ack('m')).toMatchObject({ attempt: 4, incarnation: 7, error: null, error_class: null });
    session.writeInbound((db) => db.exec("UPDATE messages_in SET attempt = 5 WHERE id = 'm'"));
    await eventually('the new attempt', () => session.ack('m')?.attempt === 5 && session.answers().length === 2);
  });

  it('does not claim again what has an ack of its present attempt, or one without an attempt', async () => {
    session.enqueue(
      { id: 'done', attempt: 1 },
      { id: 'foreign', attempt: 1 },
      { id: 'left', attempt: 1 },
      { id: 'new' },
    );
    session.writeOutbound((db) => {
      db.exec(`INSERT INTO processing_ack (message_id, status, status_changed, attempt, incarnation) VALUES
        ('done', 'completed', '2026-01-01T00:00:00Z', 1, 1), ('foreign', 'completed', '2026-01-01T00:00:00Z', NULL, NULL),
        ('left', 'processing', '2026-01-01T00:00:00Z', 1, 1)`);
    });
    session.start({ epoch: 2 });
    await session.untilAcked('completed', 'new');
    expect(session.replies().map(([id]) => id)).toEqual(['new']);
    expect(session.ack('left')).toMatchObject({ status: 'processing', incarnation: 1 });
  });

  it('works on files of an older format, without the optional columns', async () => {
    session.writeInbound((db) => {
      db.exec('DROP INDEX one_row_per_occurrence');
      for (const name of ['attempt', 'occurrence', 'settled_claim', 'error']) {
        db.exec(`ALTER TABLE messages_in DROP COLUMN ${name}`);
      }
      db.exec(
        `INSERT INTO messages_in (id, seq, kind, timestamp, content) VALUES ('m', 2, 'chat', 'now', 'plain text')`,
      );
    });
    session.writeOutbound((db) => {
      for (const name of ['attempt', 'incarnation', 'error', 'error_class', 'retry_at']) {
        db.exec(`ALTER TABLE processing_ack DROP COLUMN ${name}`);
      }
      db.exec('ALTER TABLE container_state DROP COLUMN progress_at');
    });
    session.start();
    await session.untilAcked('completed', 'm');
    expect(session.replies()).toEqual([['m', 'plain text']]);
    expect(session.ack('m')).toMatchObject({ attempt: 0, incarnation: 1 });
  });
});
