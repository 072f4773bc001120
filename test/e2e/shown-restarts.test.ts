import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { requireContainer } from '../support/containers-view.js';
import { describeOnBoth, PATIENCE_MS, say } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { isWholeSuite } from '../support/whole-suite.js';

const TEST_MS = 6 * PATIENCE_MS;
const MESSAGES = 100;
const KILLS = isWholeSuite ? 6 : 4;

interface Sent {
  readonly session: string;
  readonly text: string;
  readonly id: string;
}

function messagesFor(sessions: number, each: number): readonly Sent[] {
  return Array.from({ length: each }, (_, turn) =>
    Array.from({ length: sessions }, (_unused, index) => {
      const session = `load/s${String(index)}`;
      return { session, text: `${session} ${String(turn)}`, id: `m${String(turn)}` };
    }),
  ).flat();
}

/** Random, and repeatable: prints its seed. */
function chances(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function untilCompleted(daemon: TestDaemon, count: number): Promise<void> {
  await eventually('all are completed', async () => (await daemon.status()).messages.completed === count, {
    timeoutMs: 3 * PATIENCE_MS,
    intervalMs: 500,
  });
}

/** How often more than once a message was answered; fails for one that was not, or is out of order. */
function countDuplicates(daemon: TestDaemon, messages: readonly Sent[]): number {
  let duplicates = 0;
  for (const session of new Set(messages.map((message) => message.session))) {
    const ids = messages.filter((message) => message.session === session).map(({ id }) => id);
    const answered = daemon.answers(session).map(({ in_reply_to: id }) => id);
    const distinct = [...new Set(answered)];
    expect(distinct).toEqual(ids);
    duplicates += answered.length - distinct.length;
  }
  return duplicates;
}

function triesSpent(daemon: TestDaemon, messages: readonly Sent[]): number {
  return messages.reduce((sum, { session, id }) => sum + (daemon.message(session, id)?.tries ?? NaN), 0);
}

await describeOnBoth('a daemon that comes and goes', ({ runtime, open, itOnce }) => {
  const room = runtime === 'process' ? 6 : 4;

  itOnce(
    'F6, F22: kill -9 at random moments of a load of 100 messages: all answered, in order, none lost, none twice',
    async () => {
      const seed = Number(process.env['NP_TEST_SEED'] ?? randomInt(2 ** 31));
      const chance = chances(seed);
      const daemon = open({ settings: { MAX_CONCURRENT_CONTAINERS: room } });
      await daemon.start();
      const messages = messagesFor(20, 5);
      expect(await daemon.sendBatch(messages.slice(0, MESSAGES / 2))).toMatchObject({ accepted: MESSAGES / 2 });

      const completed: number[] = [];
      for (let kill = 0; kill < KILLS; kill += 1) {
        await new Promise((resolve) => setTimeout(resolve, chance(1_200)));
        await daemon.end('SIGKILL');
        await daemon.start();
        const from = MESSAGES / 2 + (kill * MESSAGES) / 2 / KILLS;
        const batch = messages.slice(Math.round(from), Math.round(from + MESSAGES / 2 / KILLS));
        await daemon.sendBatch(batch);
        completed.push((await daemon.status()).messages.completed);
      }
      await untilCompleted(daemon, MESSAGES);

      const duplicates = countDuplicates(daemon, messages);
      const spent = triesSpent(daemon, messages);
      say(
        `seed ${String(seed)}: ${String(KILLS)} kills at ${completed.join(', ')} completed; ` +
          `${String(duplicates)} answered twice, ${String(spent)} tries spent, ` +
          `${String(daemon.incarnations().length)} incarnations`,
      );
      expect(duplicates).toBe(0);
      expect(spent).toBe(0);
      const running = (await daemon.containers.running()).length;
      expect(running).toBeLessThanOrEqual(room);
      const status = await daemon.statusWhen('it has seen the last ends', ({ containers }) => {
        return containers.running <= running;
      });
      expect(status).toMatchObject({ messages: { pending: 0, processing: 0, failed: 0 }, sessions: { held: 0 } });
    },
    TEST_MS,
  );

  it(
    'F30: TERM during load: exit 0, what runs goes on and is adopted, no try spent',
    async () => {
      const daemon = open({ settings: { MAX_CONCURRENT_CONTAINERS: room } });
      await daemon.start();
      const sessions = Array.from({ length: 3 }, (_, index) => `slow/s${String(index)}`);
      for (const session of sessions)
        await daemon.createScript(session, 'sleep 4; echo answered by $NIGHTPORTER_EPOCH');
      const messages = messagesFor(10, 4);
      await daemon.sendBatch([...sessions.map((session) => ({ session, text: 'work', id: 'm' })), ...messages]);
      for (const session of sessions) await daemon.untilClaimed(session);
      const before = await Promise.all(sessions.map((session) => requireContainer(daemon.containers, session)));

      const { code } = await daemon.end('SIGTERM');

      expect(code).toBe(0);
      const left = await daemon.containers.running();
      for (const one of before) expect(left).toContainEqual(one);
      await daemon.start();
      await untilCompleted(daemon, sessions.length + messages.length);
      expect(daemon.log).toContain('container adopted');
      expect(countDuplicates(daemon, messages)).toBe(0);
      expect(triesSpent(daemon, messages)).toBe(0);
      for (const session of sessions) {
        expect(daemon.message(session, 'm')).toMatchObject({ tries: 0, attempt: 0 });
        expect(await daemon.texts(session)).toEqual(['answered by 1']);
      }
    },
    TEST_MS,
  );

  itOnce(
    'drain: nothing more is started, running turns are finished, containers stopped, the daemon leaves with 0',
    async () => {
      const daemon = open({ settings: { STOP_GRACE_MS: 3_000 } });
      await daemon.start();
      const idle = await daemon.send('demo/idle', 'hello');
      await daemon.untilEnded('demo/idle', [idle]);
      await daemon.createScript('demo/slow', 'sleep 4; echo done by $NIGHTPORTER_EPOCH');
      const id = await daemon.send('demo/slow', 'work');
      await daemon.untilClaimed('demo/slow');

      const draining = daemon.drain();
      await daemon.statusWhen('it drains', (status) => status.draining);
      const late = await daemon.send('demo/late', 'while it drains');
      expect(await draining).toEqual({ stopped: 2, interrupted: [] });
      expect((await daemon.ended()).code).toBe(0);

      expect(await daemon.containers.running()).toEqual([]);
      expect(daemon.message('demo/slow', id)).toMatchObject({ status: 'completed', tries: 0 });
      expect(await daemon.texts('demo/slow')).toEqual(['done by 1']);
      expect(daemon.incarnations('demo/late')).toEqual([]);
      expect(await daemon.status()).toMatchObject({ containers: { running: 0 }, daemon: { running: false } });
      expect((await daemon.cli(['drain'])).code).toBe(4);

      await daemon.start();
      await daemon.untilEnded('demo/late', [late]);
      expect(await daemon.texts('demo/late')).toEqual(['while it drains']);
    },
    TEST_MS,
  );

  itOnce(
    'drain that runs out of time: the turn is interrupted, said, and tried again at no cost',
    async () => {
      const daemon = open({ settings: { DRAIN_TIMEOUT_MS: 500, STOP_GRACE_MS: 500 } });
      await daemon.start();
      const script = 'if [ $NIGHTPORTER_EPOCH = 1 ]; then sleep 300; fi; echo done by $NIGHTPORTER_EPOCH';
      await daemon.createScript('demo/slow', script);
      const id = await daemon.send('demo/slow', 'work');
      await daemon.untilClaimed('demo/slow');

      const drained = await daemon.cli(['drain']);
      expect(drained.code).toBe(1);
      expect(drained.stderr).toContain('demo/slow');
      expect((await daemon.ended()).code).toBe(0);
      expect(await daemon.containers.running()).toEqual([]);

      await daemon.start();
      await daemon.untilEnded('demo/slow', [id]);
      expect(daemon.message('demo/slow', id)).toMatchObject({ status: 'completed', tries: 0 });
      expect(await daemon.texts('demo/slow')).toEqual(['done by 2']);
      expect(daemon.incarnations('demo/slow')[0]).toMatchObject({ stop_reason: 'drained', fruitless: 0 });
    },
    TEST_MS,
  );
});
