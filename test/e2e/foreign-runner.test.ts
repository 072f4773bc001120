import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import { requireContainer } from '../support/containers-view.js';
import { describeOnBoth, describeOnDocker, PATIENCE_MS } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { nanoclawGroup } from '../support/foreign-group.js';

const TEST_MS = 5 * PATIENCE_MS;
const SESSION = 'foreign/one';
/** Of the agent: only the first incarnation does the first thing. */
const first = (does: string, others: string): string =>
  `if [ $NIGHTPORTER_EPOCH = 1 ]; then ${does}; else ${others}; fi`;

function acks(daemon: TestDaemon, session: string): readonly unknown[] {
  const db = new Database(daemon.paths(session).outbound, { readonly: true, timeout: 2_000 });
  try {
    return db.prepare('SELECT message_id, status, attempt, incarnation FROM processing_ack').all();
  } finally {
    db.close();
  }
}

await describeOnBoth('a runner that knows only the format of NanoClaw v2', ({ engine, open, itOnce }) => {
  const withForeign = async (
    settings: Readonly<Record<string, string | number>> = {},
    own: Readonly<Record<string, unknown>> = {},
  ): Promise<TestDaemon> => {
    const daemon = open({
      settings: { BACKOFF_BASE_MS: 50, ...settings },
      groups: { foreign: { ...(await nanoclawGroup(engine)), ...own } },
    });
    await daemon.start();
    return daemon;
  };

  it(
    'answers one message after the other, its acks without an attempt being as good as any',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, 'echo answered by $NIGHTPORTER_EPOCH');
      for (const id of ['m1', 'm2']) {
        await daemon.send(SESSION, 'hello', ['--id', id]);
        const [state] = await daemon.untilEnded(SESSION, [id]);
        expect(state).toMatchObject({ status: 'completed', tries: 0, attempt: 0 });
      }
      expect(await daemon.texts(SESSION)).toEqual(['answered by 1', 'answered by 1']);
      expect(acks(daemon, SESSION)).toEqual(
        ['m1', 'm2'].map((id) => ({ message_id: id, status: 'completed', attempt: null, incarnation: null })),
      );
    },
    TEST_MS,
  );

  it(
    'F7: kill -9 in mid-turn: answered once more, by a second incarnation, one try spent',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, `${first('sleep 300', 'true')}; echo answered by $NIGHTPORTER_EPOCH`);
      const id = await daemon.send(SESSION, 'hello');
      await daemon.untilClaimed(SESSION);

      await daemon.containers.signal(SESSION, 'SIGKILL');

      const [state] = await daemon.untilEnded(SESSION, [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 1, attempt: 1, error: null });
      expect(await daemon.texts(SESSION)).toEqual(['answered by 2']);
      expect(daemon.incarnations(SESSION).map(({ epoch, fruitless }) => [epoch, fruitless])).toEqual([
        [1, 0],
        [2, null],
      ]);
    },
    TEST_MS,
  );

  itOnce(
    'F7: killed in every turn: six turns, then a dead letter',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, 'kill -9 $PPID; sleep 20');
      const id = await daemon.send(SESSION, 'die');

      const [state] = await daemon.untilEnded(SESSION, [id]);

      expect(state).toMatchObject({ status: 'failed', tries: 5, error_class: 'tries_spent' });
      expect(daemon.incarnations(SESSION)).toHaveLength(6);
      await daemon.send('foreign/two', 'still here', ['--id', 'm']);
      await daemon.untilEnded('foreign/two', ['m']);
      expect(await daemon.texts('foreign/two')).toEqual(['still here']);
    },
    TEST_MS,
  );

  itOnce(
    'a message given out again while its old ack stands: the idle container is recycled, the ack dropped, then answered',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, first('exit 75', 'echo answered by $NIGHTPORTER_EPOCH'));
      const id = await daemon.send(SESSION, 'hello');

      const [state] = await daemon.untilEnded(SESSION, [id]);

      expect(state).toMatchObject({ status: 'completed', tries: 1, attempt: 1 });
      expect(await daemon.texts(SESSION)).toEqual(['answered by 2']);
      const incarnations = daemon.incarnations(SESSION);
      expect(incarnations).toMatchObject([
        { epoch: 1, stop_reason: 'recycled', fruitless: 0 },
        { epoch: 2, stopped_at: null },
      ]);
      expect((await daemon.status()).notices).toEqual([]);
      expect(acks(daemon, SESSION)).toMatchObject([{ message_id: id, status: 'completed', attempt: null }]);
    },
    TEST_MS,
  );

  itOnce(
    'a message to be given out again waits for the turn that runs: both are answered, each once',
    async () => {
      const daemon = await withForeign();
      const failsWhenTold = 'until [ -e both-are-there ]; do sleep 0.1; done; exit 75';
      const script = `if grep -q slow; then sleep 2; echo slow; exit; fi; ${first(failsWhenTold, 'echo quick')}`;
      await daemon.createScript(SESSION, script);
      const quick = await daemon.send(SESSION, 'quick');
      await daemon.untilClaimed(SESSION);
      const slow = await daemon.send(SESSION, 'slow');
      // Otherwise such a runner may take both into one turn.
      await eventually('the second is delivered', () => daemon.message(SESSION, slow) !== undefined, {
        timeoutMs: PATIENCE_MS,
      });
      daemon.plant(SESSION, 'both-are-there', '');

      await daemon.untilEnded(SESSION, [quick, slow]);

      expect(daemon.message(SESSION, quick)).toMatchObject({ status: 'completed', tries: 1 });
      expect(daemon.message(SESSION, slow)).toMatchObject({ status: 'completed', tries: 0 });
      expect(await daemon.texts(SESSION)).toEqual(['slow', 'quick']);
      expect(daemon.incarnations(SESSION)[0]).toMatchObject({ stop_reason: 'recycled', fruitless: 0 });
    },
    TEST_MS,
  );

  itOnce(
    'a turn that failed without a class is a dead letter, and the next message is answered',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, 'if grep -q bad; then exit 1; fi; echo fine');
      const bad = await daemon.send(SESSION, 'bad');
      await daemon.untilEnded(SESSION, [bad]);
      const good = await daemon.send(SESSION, 'good');
      await daemon.untilEnded(SESSION, [good]);

      expect(daemon.message(SESSION, bad)).toMatchObject({ status: 'failed', tries: 0, error_class: null });
      expect(daemon.message(SESSION, good)).toMatchObject({ status: 'completed' });
      expect(daemon.incarnations(SESSION)).toHaveLength(1);
    },
    TEST_MS,
  );

  itOnce(
    'F22: kill -9 of the daemon in mid-turn: adopted, answered once, no try spent',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, 'sleep 5; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send(SESSION, 'hello');
      await daemon.untilClaimed(SESSION);
      const before = await requireContainer(daemon.containers, SESSION);

      await daemon.end('SIGKILL');
      await daemon.start();

      const [state] = await daemon.untilEnded(SESSION, [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 0, attempt: 0 });
      expect(await daemon.texts(SESSION)).toEqual(['answered by 1']);
      expect(await requireContainer(daemon.containers, SESSION)).toEqual(before);
      expect(daemon.log).toContain('container adopted');
    },
    TEST_MS,
  );

  itOnce(
    'kill -9 of the daemon, and of the runner while none watches: settled by the next daemon, one try spent',
    async () => {
      const daemon = await withForeign();
      await daemon.createScript(SESSION, `${first('sleep 300', 'true')}; echo answered by $NIGHTPORTER_EPOCH`);
      const id = await daemon.send(SESSION, 'hello');
      await daemon.untilClaimed(SESSION);

      await daemon.end('SIGKILL');
      await daemon.containers.signal(SESSION, 'SIGKILL');
      await eventually('nothing runs', async () => (await daemon.containers.running()).length === 0);
      await daemon.start();

      const [state] = await daemon.untilEnded(SESSION, [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 1, attempt: 1 });
      expect(await daemon.texts(SESSION)).toEqual(['answered by 2']);
    },
    TEST_MS,
  );

  itOnce(
    'is stopped when it has been idle, as it never leaves by itself, and started for the next message at no cost',
    async () => {
      const daemon = await withForeign({ SWEEP_INTERVAL_MS: 500, START_GRACE_MS: 0 }, { IDLE_TIMEOUT_MS: 1_000 });
      await daemon.createScript(SESSION, 'echo answered by $NIGHTPORTER_EPOCH');
      const one = await daemon.send(SESSION, 'hello');
      await daemon.untilEnded(SESSION, [one]);
      await eventually('it is stopped', async () => (await daemon.containers.running()).length === 0, {
        timeoutMs: PATIENCE_MS,
      });
      const two = await daemon.send(SESSION, 'hello again');
      await daemon.untilEnded(SESSION, [two]);
      expect(await daemon.texts(SESSION)).toEqual(['answered by 1', 'answered by 2']);
      expect(daemon.incarnations(SESSION)[0]).toMatchObject({ stop_reason: 'idle', fruitless: 0 });
    },
    TEST_MS,
  );

  for (const [answered, state, texts] of [
    ['retry', { status: 'completed', tries: 1, attempt: 1 }, ['answered by 1', 'answered by 2']],
    ['complete', { status: 'completed', tries: 0, attempt: 0 }, ['answered by 1']],
  ] as const) {
    itOnce(
      `FOREIGN_ANSWERED=${answered}, killed between its answer and its ack`,
      async () => {
        const daemon = await withForeign({}, { FOREIGN_ANSWERED: answered });
        await daemon.createScript(SESSION, `echo answered by $NIGHTPORTER_EPOCH; ${first('sleep 300', 'true')}`);
        const id = await daemon.send(SESSION, 'hello');
        await eventually('an answer', async () => (await daemon.texts(SESSION)).length === 1, {
          timeoutMs: PATIENCE_MS,
        });

        await daemon.containers.signal(SESSION, 'SIGKILL');

        expect((await daemon.untilEnded(SESSION, [id]))[0]).toMatchObject(state);
        expect(await daemon.texts(SESSION)).toEqual(texts);
        const next = await daemon.send(SESSION, 'next');
        await daemon.untilEnded(SESSION, [next]);
        expect(await daemon.texts(SESSION)).toEqual([...texts, 'answered by 2']);
      },
      TEST_MS,
    );
  }
});

await describeOnBoth('a group whose runner is changed', ({ engine, open, itOnce }) => {
  itOnce(
    'for one without attempts while a message of the old one waits for its retry: answered by the new one',
    async () => {
      const foreign = await nanoclawGroup(engine);
      const daemon = open({ settings: { BACKOFF_BASE_MS: 8_000 } });
      await daemon.start();
      await daemon.createScript(SESSION, 'if [ ! -e ready ]; then exit 75; fi; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send(SESSION, 'hello');
      await eventually('its retry is set', () => daemon.message(SESSION, id)?.tries === 1, { timeoutMs: PATIENCE_MS });
      expect(acks(daemon, SESSION)).toMatchObject([{ status: 'failed', attempt: 0 }]);

      await daemon.end('SIGTERM');
      daemon.plant(SESSION, 'ready', '');
      writeFileSync(join(daemon.dataDir, 'config.yaml'), JSON.stringify({ groups: { foreign } }));
      await daemon.start();

      const [state] = await daemon.untilEnded(SESSION, [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 1, attempt: 1 });
      expect(acks(daemon, SESSION)).toMatchObject([{ status: 'completed', attempt: null }]);
      expect(await daemon.texts(SESSION)).toEqual(['answered by 2']);
      expect(daemon.incarnations(SESSION)[0]).toMatchObject({ stop_reason: 'replaced', fruitless: 0 });
    },
    TEST_MS,
  );
});

await describeOnDocker('ENTRYPOINT', ({ engine, open }) => {
  it(
    "is started in place of the image's own",
    async () => {
      const { IMAGE } = await nanoclawGroup(engine);
      const ours = ['node', '/app/dist/container/agent-runner/src/main.js'];
      const daemon = open({ groups: { demo: { IMAGE, ENTRYPOINT: ours } } });
      await daemon.start();
      const id = await daemon.send('demo/one', 'hello');
      await daemon.untilEnded('demo/one', [id]);
      expect(await daemon.texts('demo/one')).toEqual(['hello']);
      expect(acks(daemon, 'demo/one')).toMatchObject([{ status: 'completed', attempt: 0, incarnation: 1 }]);
    },
    TEST_MS,
  );
});
