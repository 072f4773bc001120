import { afterAll, beforeAll, describe, it } from 'vitest';
import { CONTAINER_CASES, describeRunner, RULE_CASES } from '../suites/runner-conformance.js';
import { containerRunners } from '../support/container-runners.js';
import { describeWithEngine, EngineBench } from '../support/docker-engine.js';
import { nanoclawImage, pythonImage } from '../support/foreign-images.js';
import { whyNoPython } from '../support/runners.js';
import { isWholeSuite } from '../support/whole-suite.js';

const IMAGE_MS = 300_000;

await describeWithEngine('runners in containers', (engine) => {
  const bench = new EngineBench(engine);
  beforeAll(() => bench.runtime(bench.newInstall()).prepare(), IMAGE_MS);
  afterAll(() => bench.reap());
  const { runner } = containerRunners(bench);

  const ours = runner('ours', 'attempts', () => Promise.resolve(undefined));
  describeRunner(ours, isWholeSuite ? RULE_CASES : CONTAINER_CASES);

  // Their rules are held on the process runtime in every run; what containers add is held by ours.
  const inWholeSuite = isWholeSuite ? undefined : 'NIGHTPORTER_WHOLE_SUITE=1 runs it in containers too';
  const others = [
    { name: 'nanoclaw-v2', kind: 'nanoclaw_v2', image: () => nanoclawImage(engine.docker), whyNot: inWholeSuite },
    {
      name: 'python',
      kind: 'attempts',
      image: () => pythonImage(engine.docker),
      whyNot: whyNoPython() ?? inWholeSuite,
    },
  ] as const;
  for (const { name, kind, image, whyNot } of others) {
    if (whyNot === undefined) describeRunner(runner(name, kind, image));
    else {
      describe.skip(`${name} as a runner (skipped: ${whyNot})`, () => {
        it.todo('is a runner');
      });
    }
  }
});
