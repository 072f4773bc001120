import { expect, it } from 'vitest';
import { EngineView } from '../support/containers-view.js';
import type { Bench, TestDaemon } from '../support/daemon.js';
import { describeOnBoth, describeOnDocker, PATIENCE_MS, say } from '../support/daemon.js';

const TEST_MS = 4 * PATIENCE_MS;
/** Long enough that a busy machine does not keep a healthy runner from beating, every half second. */
const STALE_MS = 3_000;
const SETTINGS = {
  STALE_THRESHOLD_MS: STALE_MS,
  CLAIM_STUCK_MS: 1_000,
  START_GRACE_MS: 1_000,
  SWEEP_INTERVAL_MS: 500,
  STOP_GRACE_MS: 500,
  BACKOFF_BASE_MS: 200,
};

async function openWithStuck(open: Bench['open'], script: string): Promise<{ daemon: TestDaemon; id: string }> {
  const daemon = open({ settings: SETTINGS });
  await daemon.start();
  await daemon.createScript('demo/frozen', script);
  const id = await daemon.send('demo/frozen', 'hello');
  await daemon.untilClaimed('demo/frozen');
  return { daemon, id };
}

await describeOnBoth('a runner that hangs', ({ open }) => {
  it(
    'F4, F23: kill -STOP: stopped as stale_and_stuck, settled, retried and answered',
    async () => {
      const { daemon, id } = await openWithStuck(open, 'sleep 2; echo answered by $NIGHTPORTER_EPOCH');

      const frozenAtMs = Date.now();
      await daemon.containers.signal('demo/frozen', 'SIGSTOP');
      const [state] = await daemon.untilEnded('demo/frozen', [id]);

      expect(state).toMatchObject({ status: 'completed', tries: 1 });
      expect(await daemon.texts('demo/frozen')).toEqual(['answered by 2']);
      const [first, ...more] = daemon.incarnations('demo/frozen');
      expect(first).toMatchObject({ stop_reason: 'stale_and_stuck', fruitless: 0 });
      expect(more).toMatchObject([{ epoch: 2, stop_reason: null }]);
      const stoppedAfterMs = (first?.stopped_at ?? 0) - frozenAtMs;
      say(`stopped ${String(stoppedAfterMs)} ms after it froze; threshold ${String(STALE_MS)} ms, grace 500 ms`);
      expect(stoppedAfterMs).toBeGreaterThan(STALE_MS - 500);
      const status = await daemon.status();
      expect(status.notices).toMatchObject([{ kind: 'stopped', session: 'demo/frozen', count: 1 }]);
      expect(status.notices[0]?.text).toContain('stale_and_stuck');
    },
    TEST_MS,
  );

  it(
    'F23: one that beats and works longer than all thresholds is never touched',
    async () => {
      const seconds = String((3 * STALE_MS) / 1_000);
      const { daemon, id } = await openWithStuck(open, `sleep ${seconds}; echo done by $NIGHTPORTER_EPOCH`);

      await daemon.untilEnded('demo/frozen', [id]);

      expect(daemon.message('demo/frozen', id)).toMatchObject({ status: 'completed', tries: 0 });
      expect(await daemon.texts('demo/frozen')).toEqual(['done by 1']);
      expect(daemon.incarnations('demo/frozen')).toMatchObject([{ epoch: 1, stop_reason: null, stopped_at: null }]);
      expect((await daemon.status()).notices.filter(({ session }) => session !== null)).toEqual([]);
    },
    TEST_MS,
  );
});

await describeOnDocker('a container that hangs', ({ open }) => {
  it(
    'F18: docker pause: a paused container is stopped all the same, and its message answered by the next',
    async () => {
      const script = 'if [ $NIGHTPORTER_EPOCH = 1 ]; then sleep 300; fi; echo answered by $NIGHTPORTER_EPOCH';
      const { daemon, id } = await openWithStuck(open, script);
      if (!(daemon.containers instanceof EngineView)) throw new Error('not on docker');

      await daemon.containers.pause('demo/frozen');
      const [state] = await daemon.untilEnded('demo/frozen', [id]);

      expect(state).toMatchObject({ status: 'completed' });
      expect(await daemon.texts('demo/frozen')).toEqual(['answered by 2']);
      expect(daemon.incarnations('demo/frozen')).toMatchObject([
        { epoch: 1, stop_reason: 'stale_and_stuck', stopped_at: expect.any(Number) as number },
        { epoch: 2, stop_reason: null, stopped_at: null },
      ]);
    },
    TEST_MS,
  );
});
