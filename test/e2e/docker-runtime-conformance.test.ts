import { describeWithEngine } from '../support/docker-engine.js';
import { dockerHarness } from '../support/docker-harness.js';
import { describeRuntime } from '../suites/runtime-conformance.js';

await describeWithEngine('docker', (engine) => {
  describeRuntime('docker', () => dockerHarness(engine));
});
