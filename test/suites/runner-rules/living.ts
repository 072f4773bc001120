import { expect } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { HEARTBEAT_MS } from '../../support/runner-bench.js';
import type { RunnerBench } from '../../support/runner-bench.js';
import { HELD, type RuleCase } from './rule-case.js';

const BEATS = 30;
/** On a machine that others use too: on the average, not for each. */
const TOLERANCE = 2.5;

async function expectRhythm(bench: RunnerBench): Promise<void> {
  await eventually('a first beat', () => bench.heartbeatMs() !== undefined);
  const seen = new Set<number>();
  const startedAtMs = performance.now();
  await eventually(
    `${BEATS} beats`,
    () => {
      seen.add(bench.heartbeatMs() ?? 0);
      return seen.size > BEATS;
    },
    { timeoutMs: 30_000, intervalMs: 5 },
  );
  expect(performance.now() - startedAtMs).toBeLessThan(BEATS * HEARTBEAT_MS * TOLERANCE);
  expect(Math.abs(Date.now() - (bench.heartbeatMs() ?? 0))).toBeLessThan(10 * HEARTBEAT_MS);
}

/** H: signs of life. */
export const LIVING: readonly RuleCase[] = [
  {
    rule: 'H1',
    text: 'beats as often as it was asked to while there is nothing to do',
    takes: 'attempts',
    test: async (bench) => {
      await bench.start();
      await expectRhythm(bench);
    },
  },
  {
    rule: 'H2',
    text: 'beats as often while its agent works and says nothing',
    takes: 'attempts',
    test: async (bench) => {
      bench.touch('hold');
      await bench.deliver('m');
      await bench.start({ agent: HELD });
      await bench.untilFile('started');
      await expectRhythm(bench);
      bench.remove('hold');
      await bench.untilAcked('completed', 'm');
    },
  },
  {
    rule: 'H3',
    text: 'says how often it beats, and as which incarnation',
    takes: 'attempts',
    test: async (bench) => {
      bench.outbound(`INSERT INTO container_state (id, current_tool, tool_declared_timeout_ms, updated_at, incarnation,
        heartbeat_interval_ms, progress_at) VALUES (1, 'old', 7200000, '2026-01-01 00:00:00', 3, 5, '2026-01-01 00:00:00')`);
      bench.touch('hold');
      await bench.deliver('m');
      await bench.start({ agent: HELD, epoch: 4 });
      await bench.untilFile('started');
      expect(bench.state()).toMatchObject({
        incarnation: 4,
        heartbeat_interval_ms: HEARTBEAT_MS,
        current_tool: null,
        tool_declared_timeout_ms: null,
      });
      bench.remove('hold');
    },
  },
];
