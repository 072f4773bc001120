import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import type { IncarnationRow, TestDaemon } from '../support/daemon.js';
import { describeOnProcesses, PATIENCE_MS, say } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { isWholeSuite } from '../support/whole-suite.js';

/** A whole suite takes 200; the 40 s more that they take say nothing else. */
const SESSIONS = isWholeSuite ? 200 : 48;
const EACH = 5;
const ROOM = 8;
const LOAD_MS = 8 * 60_000;

/** Most of these spans that overlap anywhere. */
function mostAtOnce(spans: readonly { readonly fromMs: number; readonly untilMs: number }[]): number {
  const turns = spans.flatMap(({ fromMs, untilMs }) => [
    { atMs: fromMs, step: 1 },
    { atMs: untilMs, step: -1 },
  ]);
  turns.sort((a, b) => a.atMs - b.atMs || a.step - b.step);
  let now = 0;
  let most = 0;
  for (const { step } of turns) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}

/** From the confirmed start to the recorded end, or to now. */
function spansOf(rows: readonly IncarnationRow[]): { fromMs: number; untilMs: number }[] {
  return rows
    .filter((row) => row.started_at !== null)
    .map((row) => ({ fromMs: row.started_at ?? 0, untilMs: row.stopped_at ?? Date.now() }));
}

/** Counts what runs, as /proc tells it, over and over. */
function watchRunning(daemon: TestDaemon): () => Promise<number> {
  let isOver = false as boolean; // set by the caller
  const most = (async () => {
    let seen = 0;
    while (!isOver) {
      seen = Math.max(seen, (await daemon.containers.running()).length);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return seen;
  })();
  return () => {
    isOver = true;
    return most;
  };
}

describeOnProcesses('many sessions and little room', ({ open }) => {
  it(
    'F28, F37: many sessions with 5 messages each and room for 8: all answered once, in order, never more than 8 at once',
    async () => {
      const daemon = open({ settings: { MAX_CONCURRENT_CONTAINERS: ROOM } });
      await daemon.start();
      const sessions = Array.from({ length: SESSIONS }, (_, index) => `load/s${String(index).padStart(3, '0')}`);
      const messages = Array.from({ length: EACH }, (_, turn) =>
        sessions.map((session) => ({ session, text: `${session} ${String(turn)}`, id: `m${String(turn)}` })),
      ).flat();
      const running = watchRunning(daemon);

      const beganMs = performance.now();
      expect(await daemon.sendBatch(messages)).toEqual({ accepted: SESSIONS * EACH, duplicates: 0 });
      const sentMs = performance.now() - beganMs;
      await eventually(
        'all are completed',
        async () => (await daemon.status()).messages.completed === SESSIONS * EACH,
        { timeoutMs: LOAD_MS, intervalMs: 500 },
      );
      const tookMs = performance.now() - beganMs;
      const mostSeen = await running();
      const rows = daemon.incarnations();
      say(
        `${String(SESSIONS * EACH)} messages of ${String(SESSIONS)} sessions: accepted in ${sentMs.toFixed(0)} ms, ` +
          `answered in ${(tookMs / 1_000).toFixed(1)} s by ${String(rows.length)} incarnations; ` +
          `at most ${String(mostAtOnce(spansOf(rows)))} recorded, ${String(mostSeen)} seen at once`,
      );

      for (const session of sessions) {
        const answers = daemon.answers(session);
        expect(answers.map(({ in_reply_to: id }) => id)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
        expect(answers.map(({ content }) => (JSON.parse(content) as { readonly text: string }).text)).toEqual(
          Array.from({ length: EACH }, (_, turn) => `${session} ${String(turn)}`),
        );
      }
      expect(mostSeen).toBeLessThanOrEqual(ROOM);
      expect(mostAtOnce(spansOf(rows))).toBeLessThanOrEqual(ROOM);
      expect(mostSeen).toBeGreaterThan(ROOM / 2);
      const status = await daemon.status();
      expect(status).toMatchObject({
        messages: { spooled: 0, pending: 0, processing: 0, failed: 0 },
        sessions: { held: 0, quarantined: 0, active: SESSIONS },
        waiting: 0,
        notices: [],
      });
      // Through the command line as well, for one of them.
      expect(await daemon.texts('load/s042')).toEqual(
        messages.filter(({ session }) => session === 'load/s042').map(({ text }) => text),
      );
      expect(readdirSync(join(daemon.dataDir, 'run')).length).toBeLessThanOrEqual(ROOM);
    },
    LOAD_MS + 2 * PATIENCE_MS,
  );
});
