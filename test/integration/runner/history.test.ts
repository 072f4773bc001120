import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf } from '../../../container/agent-runner/src/message-text.js';
import type { Provider, Turn } from '../../../container/agent-runner/src/provider.js';
import { TurnBench, messageOf } from '../../support/turn-bench.js';

describe('what a provider without sessions is told again', () => {
  let bench: TurnBench;
  let turns: Turn[];
  let own: Provider;
  beforeEach(() => {
    bench = new TurnBench();
    turns = [];
    own = {
      name: 'own',
      claimsPerTurn: 1,
      resumes: 'synthetic',
      run: (turn) => {
        turns.push(turn);
        const [to] = turn.messages;
        const text = to === undefined ? '' : textOf(to.content);
        const answers = to === undefined || text.startsWith('note') ? [] : [{ to, text: `re ${text}` }];
        return Promise.resolve({ kind: 'completed', answers, providerSession: null });
      },
    };
  });
  afterEach(() => bench.dispose());

  const told = (): string[] => turns.at(-1)?.history.map(({ role, text }) => `${role}: ${text}`) ?? [];

  it('L15 is the conversation so far, oldest first, the turn itself left out, acks that the host has not seen included', async () => {
    await bench.turn([own], 'a');
    bench.session.writeInbound((db) => db.exec("UPDATE messages_in SET status = 'completed'"));
    await bench.turn([own], 'b');
    await bench.turn([own], 'c');
    expect(told()).toEqual(['user: a', 'assistant: re a', 'user: b', 'assistant: re b']);
  });

  it('leaves out what waits, failed, or was not acknowledged in its present attempt', async () => {
    await bench.turn([own], 'a', { id: 'failed' });
    await bench.turn([own], 'b', { id: 'rearmed' });
    bench.session.enqueue({ id: 'waits', text: 'w', seq: 40 });
    bench.session.writeInbound((db) => {
      db.exec("UPDATE messages_in SET status = 'failed' WHERE id = 'failed'");
      db.exec("UPDATE messages_in SET attempt = 1 WHERE id = 'rearmed'");
    });
    await bench.turn([own], 'c');
    expect(told()).toEqual([]);
  });

  it.each([
    ['messages', { historyMaxMessages: 3 }, ['user: b', 'assistant: re b']],
    ['bytes', { historyMaxBytes: 8 }, ['user: b', 'assistant: re b']],
    ['nothing', { historyMaxMessages: 0 }, []],
  ])('leaves out the oldest where there are too many %s', async (_what, limits, left) => {
    await bench.turn([own], 'a');
    await bench.turn([own], 'b');
    await bench.turn([own], 'c', limits);
    expect(told()).toEqual(left);
  });

  it('counts bytes, not characters', async () => {
    await bench.turn([own], 'ééé');
    await bench.turn([own], 'c', { historyMaxBytes: 14 });
    expect(told()).toEqual([]);
    await bench.turn([own], 'd', { historyMaxBytes: 1 + 4 + 6 + 9 });
    expect(told()).toEqual(['user: ééé', 'assistant: re ééé', 'user: c', 'assistant: re c']);
  });

  it('L12 begins anew after a silence that is longer than ids are kept', async () => {
    await bench.turn([own], 'a', { timestamp: new Date(Date.now() - 10_000).toISOString() });
    bench.session.writeOutbound((db) => {
      db.prepare('UPDATE messages_out SET timestamp = ?').run(new Date(Date.now() - 9_000).toISOString());
    });
    await bench.turn([own], 'b', { maxSessionAgeMs: 8_000 });
    expect(told()).toEqual([]);
    await bench.turn([own], 'c', { maxSessionAgeMs: 8_000 });
    expect(told()).toEqual(['user: b', 'assistant: re b']);
    await bench.turn([own], 'd', { maxSessionAgeMs: 0 });
    expect(told()).toHaveLength(6);
  });

  const MINUTE_MS = 60_000;
  const DAY_MS = 1_440 * MINUTE_MS;
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
  /** As if these answers had been given then. */
  const answeredAgo = (ms: number, to = '%'): void => {
    bench.session.writeOutbound((db) =>
      db.prepare('UPDATE messages_out SET timestamp = ? WHERE in_reply_to LIKE ?').run(ago(ms), to),
    );
  };

  it.each(['remind me', 'note this'])(
    'L12 has no silence in what was put in long before it was due: %s',
    async (text) => {
      await bench.turn([own], text, { timestamp: ago(2 * DAY_MS), processAfter: ago(MINUTE_MS) });
      await bench.turn([own], 'a');
      expect(told()).toEqual([`user: ${text}`, ...(text === 'note this' ? [] : [`assistant: re ${text}`])]);
    },
  );

  it('L12 has no silence in what waited without a due time', async () => {
    await bench.turn([own], 'held', { timestamp: ago(2 * DAY_MS) });
    await bench.turn([own], 'a');
    expect(told()).toEqual(['user: held', 'assistant: re held']);
  });

  it('L12 sees no silence before what was put in early, due late and not answered', async () => {
    await bench.turn([own], 'a', { timestamp: ago(1.5 * DAY_MS) });
    answeredAgo(1.5 * DAY_MS);
    bench.session.enqueue({ id: 'note', seq: 4, timestamp: ago(DAY_MS), processAfter: ago(0) });
    bench.session.enqueue({ id: 'b', seq: 6, timestamp: ago(0.75 * DAY_MS) });
    await bench.turnOf([own], messageOf('b', 6, 'b'));
    answeredAgo(0.75 * DAY_MS, 'b');
    await bench.turnOf([own], messageOf('note', 4, 'note'));
    await bench.turn([own], 'c');
    expect(told()).toEqual(['user: a', 'assistant: re a', 'user: note', 'user: b', 'assistant: re b']);
  });

  it.each([
    ['although what was said meanwhile is old', 2 * DAY_MS, 1, []],
    ['after what was said meanwhile', MINUTE_MS, 1, ['user: m0', 'assistant: re m0']],
    ['although more was said meanwhile than is told', MINUTE_MS, 3, ['user: m2', 'assistant: re m2']],
  ])('has an occurrence where it was answered, %s', async (_what, agoMs, chats, before) => {
    bench.session.enqueue({ id: 'weekly', text: 'weekly', seq: 1, timestamp: ago(7 * DAY_MS), processAfter: ago(0) });
    for (let chat = 0; chat < chats; chat += 1) {
      await bench.turn([own], `m${String(chat)}`, { timestamp: ago(agoMs + MINUTE_MS) });
    }
    answeredAgo(agoMs);
    await bench.turnOf([own], messageOf('weekly', 1, 'weekly'));
    await bench.turn([own], 'what was that?', { historyMaxMessages: 4 });
    expect(told()).toEqual([...before, 'user: weekly', 'assistant: re weekly']);
    await bench.turn([own], 'and that?', { historyMaxMessages: 2 });
    expect(told()).toEqual(['user: what was that?', 'assistant: re what was that?']);
  });

  it('is not ended by what is large and no part of it', async () => {
    const large = 'x'.repeat(2_000);
    await bench.turn([own], 'a');
    bench.session.enqueue({ id: 'waits', text: large, seq: 40 });
    bench.session.writeOutbound((db) => {
      db.prepare(
        `INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, content) VALUES (?, 41, 'failed', ?, 'chat', ?)`,
      ).run('half', ago(0), large);
    });
    await bench.turn([own], 'b', { historyMaxBytes: 100 });
    expect(told()).toEqual(['user: a', 'assistant: re a']);
  });

  it('is ended by an answer, or a message, that is too large', async () => {
    await bench.turn([own], 'a');
    await bench.turn([own], 'x'.repeat(2_000));
    await bench.turn([own], 'b', { historyMaxBytes: 100 });
    expect(told()).toEqual([]);
    await bench.turn([own], 'c', { historyMaxBytes: 100 });
    expect(told()).toEqual(['user: b', 'assistant: re b']);
  });

  it('L16 leaves out what was said before an overflow, and not what was put in before and said later', async () => {
    const overflows: Provider = {
      ...own,
      run: (turn, report, stop) => {
        if (turn.history.length === 0) return own.run(turn, report, stop);
        return Promise.resolve({ kind: 'failed', errorClass: 'context_overflow', error: 'full', retryAtMs: null });
      },
    };
    bench.session.enqueue({ id: 'weekly', text: 'weekly', seq: 1, timestamp: ago(MINUTE_MS), processAfter: ago(0) });
    await bench.turn([own], 'a');
    await bench.turn([overflows], 'b');
    await bench.turnOf([own], messageOf('weekly', 1, 'weekly'));
    await bench.turn([own], 'c');
    expect(told()).toEqual(['user: b', 'assistant: re b', 'user: weekly', 'assistant: re weekly']);
  });

  it('waits while the host holds its file', async () => {
    await bench.turn([own], 'a');
    await bench.turn([own], 'b');
    const host = new Database(bench.session.inbound);
    try {
      host.exec('BEGIN EXCLUSIVE');
      const message = { ...(turns.at(-1)?.messages[0] ?? expect.fail('no turn')), id: 'other', seq: 90 };
      const running = bench.runner([own]).run([message], bench.report);
      await new Promise((resolve) => setImmediate(resolve));
      expect(turns).toHaveLength(2);
      host.exec('COMMIT');
      await running;
    } finally {
      host.close();
    }
    expect(told()).toHaveLength(4);
  });
});
