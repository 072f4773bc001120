import { expect, it } from 'vitest';
import { describeWithPodman } from '../support/docker-engine.js';
import { dockerHarness } from '../support/docker-harness.js';
import { describeRuntime } from '../suites/runtime-conformance.js';

await describeWithPodman('podman', (engine) => {
  it('is Podman, as it says itself', async () => {
    const harness = await dockerHarness(engine);
    try {
      expect((await harness.runtime.ping()).description).toMatch(/^Podman \d/);
    } finally {
      await harness.cleanup();
    }
  });

  describeRuntime('podman', () => dockerHarness(engine));
});
