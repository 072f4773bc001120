import { afterAll, beforeAll, describe, it } from 'vitest';
import { describeRunner } from '../suites/runner-conformance.js';
import { containerRunners } from '../support/container-runners.js';
import { describeWithEngine, EngineBench } from '../support/docker-engine.js';
import { nanoclawImage, pythonImage } from '../support/foreign-images.js';
import { whyNoPython } from '../support/runners.js';

const IMAGE_MS = 300_000;
const isWhole = process.env['NIGHTPORTER_WHOLE_SUITE'] === '1';

await describeWithEngine('runners in containers', (engine) => {
  const bench = new EngineBench(engine);
  beforeAll(() => bench.runtime(bench.newInstall()).prepare(), IMAGE_MS);
  afterAll(() => bench.reap());
  const { runner } = containerRunners(bench);

  describeRunner(runner('ours', 'attempts', () => Promise.resolve(undefined)));
  describeRunner(runner('nanoclaw-v2', 'nanoclaw_v2', () => nanoclawImage(engine.docker)));

  // Its rules are held on the process runtime in every run; what containers add is held by the other two.
  const whyNot = whyNoPython() ?? (isWhole ? undefined : 'NIGHTPORTER_WHOLE_SUITE=1 runs it in containers too');
  if (whyNot === undefined) describeRunner(runner('python', 'attempts', () => pythonImage(engine.docker)));
  else {
    describe.skip(`python as a runner (skipped: ${whyNot})`, () => {
      it.todo('is a runner');
    });
  }
});
