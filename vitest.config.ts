import { defineConfig } from 'vitest/config';
import { LongestFirst } from './vitest.sequencer.js';

const shared = {
  environment: 'node' as const,
  pool: 'forks' as const,
  hookTimeout: 60_000,
  teardownTimeout: 30_000,
};

/**
 * Real processes, disks and engines on a machine that others use too: on the build server a failed test is run once more,
 * and the output names it. Elsewhere a test that passes the second time has failed.
 */
const retry = process.env['CI'] === 'true' ? 1 : 0;

/** Real daemons and engines, but no deadline measured in real time: these may run beside others. */
const unhurried = [
  ...['runner-conformance', 'foreign-runner', 'chaos', 'doctor', 'attachments', 'docker-runtime-*', 'podman-*'],
  ...['config-reload', 'provider'],
  ...[
    'shown-conversation',
    'shown-dead',
    'shown-held',
    'shown-kills',
    'shown-odd-input',
    'shown-owners',
    'shown-providers',
    'shown-restarts',
  ],
].map((name) => `test/e2e/${name}.test.ts`);
/** Much of a test's time is spent waiting for processes. */
const SHARED_WORKERS = 4;

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'integration',
          retry,
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 30_000,
          maxWorkers: SHARED_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: 'containers',
          retry,
          include: unhurried,
          testTimeout: 120_000,
          maxWorkers: SHARED_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real daemons and engines, and deadlines measured in real time: one file at a time.
        test: {
          ...shared,
          name: 'e2e',
          retry,
          include: ['test/e2e/**/*.test.ts'],
          exclude: unhurried,
          testTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/core/**/*.ts'],
      reporter: [['text', { skipFull: true }], 'html'],
      thresholds: { statements: 100, branches: 100, functions: 100, lines: 100 },
    },
  },
});
