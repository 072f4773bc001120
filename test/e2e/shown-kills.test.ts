import { expect, it } from 'vitest';
import { requireContainer } from '../support/containers-view.js';
import { describeOnBoth, describeOnDocker, PATIENCE_MS } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 4 * PATIENCE_MS;

await describeOnBoth('kill -9', ({ runtime, open, itOnce }) => {
  it(
    'F2, F7: of the runner in mid-turn: answered once, by a second incarnation, after its backoff, with one try spent',
    async () => {
      const backoffMs = 1_500;
      const daemon = open({ settings: { BACKOFF_BASE_MS: backoffMs } });
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 3; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send('demo/slow', 'hello');
      await daemon.untilClaimed('demo/slow');

      await daemon.containers.signal('demo/slow', 'SIGKILL');

      const [state] = await daemon.untilEnded('demo/slow', [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 1, attempt: 1, error: null });
      expect(await daemon.texts('demo/slow')).toEqual(['answered by 2']);
      const [first, second, ...more] = daemon.incarnations('demo/slow');
      expect(more).toEqual([]);
      expect(first).toMatchObject({ epoch: 1, fruitless: 0, stop_reason: null });
      expect(first).toMatchObject(runtime === 'process' ? { signal: 'SIGKILL' } : { exit_code: 137 });
      expect(second).toMatchObject({ epoch: 2, stopped_at: null });
      expect((second?.begun_at ?? 0) - (first?.stopped_at ?? 0)).toBeGreaterThanOrEqual(backoffMs - 50);
      // Of the first one nothing is left, its program included.
      expect((await daemon.containers.running()).map(({ epoch }) => epoch)).toEqual([2]);
      expect((await daemon.status()).messages).toMatchObject({ completed: 1, failed: 0, processing: 0 });
    },
    TEST_MS,
  );

  itOnce(
    'F7: a script that always kills its runner takes 6 turns, then is a dead letter with reason and last output',
    async () => {
      const daemon = open({ settings: { BACKOFF_BASE_MS: 50 } });
      await daemon.start();
      await daemon.createScript('demo/killer', 'kill -9 $PPID; sleep 20');
      const id = await daemon.send('demo/killer', 'die');

      const [state] = await daemon.untilEnded('demo/killer', [id]);

      expect(state).toMatchObject({ status: 'failed', tries: 5, error_class: 'tries_spent' });
      expect(state?.error).toMatch(/^the turn did not end: its container ended/);
      expect(state?.finished_at).not.toBeNull();
      const incarnations = daemon.incarnations('demo/killer');
      expect(incarnations.map(({ epoch, fruitless }) => [epoch, fruitless])).toEqual(
        [1, 2, 3, 4, 5, 6].map((epoch) => [epoch, 0]),
      );
      expect(await daemon.dead()).toMatchObject([
        { session: 'demo/killer', id, tries: 5, errorClass: 'tries_spent', error: state?.error },
      ]);
      const logs = await daemon.logs('demo/killer');
      expect(logs).toMatchObject({ running: false, incarnation: { epoch: 6 } });
      expect(logs.output).toContain('turn started');
      const shown = await daemon.show('demo/killer');
      expect(shown).toMatchObject({ held: false, messages: { failed: 1, pending: 0, processing: 0 } });
      expect(shown.incarnations[0]).toMatchObject(runtime === 'process' ? { signal: 'SIGKILL' } : { exitCode: 137 });
      const status = await daemon.status();
      expect(status.notices).toMatchObject([{ kind: 'dead_letter', session: 'demo/killer', count: 1 }]);
      expect(await daemon.texts('demo/killer')).toEqual([]);
    },
    TEST_MS,
  );

  it(
    'F21, F22: of the daemon in mid-turn: the container is adopted, the answer delivered once, no try spent',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 6; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send('demo/slow', 'hello');
      await daemon.untilClaimed('demo/slow');
      const before = await requireContainer(daemon.containers, 'demo/slow');

      await daemon.end('SIGKILL');
      expect(await requireContainer(daemon.containers, 'demo/slow')).toEqual(before);
      await daemon.start();

      expect(await daemon.status()).toMatchObject({ containers: { running: 1 } });
      expect(daemon.log).toContain('container adopted');
      const [state] = await daemon.untilEnded('demo/slow', [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 0, attempt: 0 });
      expect(await daemon.texts('demo/slow')).toEqual(['answered by 1']);
      expect(await requireContainer(daemon.containers, 'demo/slow')).toEqual(before);
      expect(daemon.incarnations('demo/slow')).toMatchObject([{ epoch: 1, container_id: before.id, stopped_at: null }]);
    },
    TEST_MS,
  );

  itOnce(
    'of the daemon, and of the runner while none watches: settled by the next daemon, answered once, one try spent',
    async () => {
      const daemon = open({ settings: { BACKOFF_BASE_MS: 50 } });
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 3; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send('demo/slow', 'hello');
      await daemon.untilClaimed('demo/slow');

      await daemon.end('SIGKILL');
      await daemon.containers.signal('demo/slow', 'SIGKILL');
      await eventually('nothing runs', async () => (await daemon.containers.running()).length === 0);
      await daemon.start();

      const [state] = await daemon.untilEnded('demo/slow', [id]);
      expect(state).toMatchObject({ status: 'completed', tries: 1 });
      expect(await daemon.texts('demo/slow')).toEqual(['answered by 2']);
    },
    TEST_MS,
  );
});

await describeOnDocker('docker rm -f', ({ engine, open }) => {
  it(
    'F7, F22: of a container in mid-turn, without and with a daemon that watches: settled, answered by the next one',
    async () => {
      const daemon = open({ settings: { BACKOFF_BASE_MS: 50 } });
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 3; echo answered by $NIGHTPORTER_EPOCH');
      const id = await daemon.send('demo/slow', 'hello');
      await daemon.untilClaimed('demo/slow');
      const first = await requireContainer(daemon.containers, 'demo/slow');

      await engine.docker.getContainer(first.id).remove({ force: true });
      const second = await eventually(
        'a second incarnation that has claimed',
        async () => (await daemon.containers.running()).find(({ epoch }) => epoch === 2),
        { timeoutMs: PATIENCE_MS },
      );
      await daemon.untilClaimed('demo/slow');
      await daemon.end('SIGKILL');
      await engine.docker.getContainer(second.id).remove({ force: true });
      await daemon.start();

      await daemon.untilEnded('demo/slow', [id]);
      expect(daemon.message('demo/slow', id)).toMatchObject({ status: 'completed', tries: 2 });
      expect(await daemon.texts('demo/slow')).toEqual(['answered by 3']);
      expect(daemon.incarnations('demo/slow').map(({ epoch, fruitless }) => [epoch, fruitless])).toEqual([
        [1, 0],
        [2, 0],
        [3, null],
      ]);
    },
    TEST_MS,
  );
});
