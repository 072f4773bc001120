import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf } from '../../../container/agent-runner/src/message-text.js';
import type { Provider, Turn } from '../../../container/agent-runner/src/provider.js';
import { TurnBench } from '../../support/turn-bench.js';

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
        const answers = to === undefined ? [] : [{ to, text: `re ${textOf(to.content)}` }];
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
