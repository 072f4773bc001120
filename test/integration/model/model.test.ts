import fc from 'fast-check';
import { test } from 'vitest';
import { Model } from './model.js';
import { comparedLists, steps } from './steps.js';
import { System } from './system.js';

const { NIGHTPORTER_MODEL_RUNS: runs = '8', NIGHTPORTER_MODEL_REPLAY: replay } = process.env;
/** As a failure prints them: `{ "seed": 1, "path": "4:2", "replayPath": "AAB:F" }`. */
const { replayPath, ...from } = (replay === undefined ? {} : JSON.parse(replay)) as {
  readonly seed?: number;
  readonly path?: string;
  readonly replayPath?: string;
};
const sizes = { maxCommands: 120, size: 'max', ...(replayPath === undefined ? {} : { replayPath }) } as const;

test(
  'whatever happens, all that can be seen of the system is as a model of it says',
  // The second time something else would happen.
  { timeout: 3_600_000, retry: 0 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands([steps], sizes), async (commands) => {
        const system = new System();
        try {
          const model = new Model(system.p.clock.now());
          await fc.asyncModelRun(() => ({ model, real: system }), commands);
          await comparedLists(model, system);
        } finally {
          await system.p.close();
        }
      }),
      { numRuns: Number(runs), ...from },
    );
  },
);
