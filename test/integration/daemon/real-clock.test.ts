import { expect, it } from 'vitest';
import type { ScheduleDetailView, ScheduleView } from '../../../src/desk/views.js';
import { describeOnProcesses, say } from '../../support/daemon.js';
import type { TestDaemon } from '../../support/daemon.js';
import { eventually } from '../../support/eventually.js';

const MINUTE_MS = 60_000;
const TEST_MS = 6 * MINUTE_MS;
/** Beside three minute boundaries: what a loaded machine takes to wake and answer. */
const PATIENCE_MS = 5 * MINUTE_MS;

describeOnProcesses('a series on the real clock', ({ open }) => {
  it(
    'F9, F10: every minute over three minutes, the daemon killed and restarted in between: distinct consecutive minutes',
    async () => {
      const daemon = open();
      await daemon.start();
      const begunMs = Date.now();
      await daemon.done(['send', 'demo/tick', 'tick', '--id', 'tick', '--cron', '*/1 * * * *']);
      await untilFired(daemon, 1);
      await daemon.end('SIGKILL');
      await daemon.start();
      const fired = await untilFired(daemon, 3);
      const tookMs = Date.now() - begunMs;

      const minutes = fired.map(({ occurrence }) => Date.parse(occurrence ?? '') / MINUTE_MS);
      const [first = NaN] = minutes;
      expect(minutes).toEqual([first, first + 1, first + 2]);
      expect(first * MINUTE_MS).toBeGreaterThan(begunMs - MINUTE_MS);
      expect(fired.map(({ status, tries }) => [status, tries])).toEqual(Array(3).fill(['completed', 0]));
      expect(await daemon.texts('demo/tick')).toEqual(['tick', 'tick', 'tick']);
      const [view] = await daemon.json<readonly ScheduleView[]>(['schedule', 'list']);
      expect(view).toMatchObject({ session: 'demo/tick', series: 'tick', paused: false, lastStatus: 'completed' });
      expect(Date.parse(view?.next ?? '') / MINUTE_MS).toBe(first + 3);
      const late = fired.map(({ lateMs }) => String(lateMs)).join(', ');
      say(`three occurrences in ${String(Math.round(tookMs / 1_000))} s; ended ${late} ms after they were due`);
    },
    TEST_MS,
  );
});

/** Oldest first. */
async function untilFired(daemon: TestDaemon, count: number): Promise<ScheduleDetailView['occurrences']> {
  return eventually(
    `${String(count)} occurrences have ended`,
    async () => {
      const { occurrences } = await daemon.json<ScheduleDetailView>(['schedule', 'show', 'demo/tick', 'tick']);
      return occurrences.length >= count ? [...occurrences].reverse() : undefined;
    },
    { timeoutMs: PATIENCE_MS, intervalMs: 5_000 },
  );
}
