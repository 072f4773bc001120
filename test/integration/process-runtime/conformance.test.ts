import { ProcessHarness } from '../../support/process-harness.js';
import { describeRuntime } from '../../suites/runtime-conformance.js';

describeRuntime('process', () => Promise.resolve(new ProcessHarness()));
