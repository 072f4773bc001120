import { configDefaults, defineConfig } from 'vitest/config';
import { QuickestFirst } from './vitest.sequencer.js';

/** What Stryker runs for every mutant of src/core: its unit tests alone, with the chances of property tests fixed. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/unit/core/**/*.test.ts'],
    // Walks over every minute of many days take longer for one mutant than all other tests do: examples must kill it.
    exclude: [...configDefaults.exclude, 'test/unit/core/schedule/properties.test.ts'],
    setupFiles: ['test/support/fixed-chances.ts'],
    sequence: { sequencer: QuickestFirst },
    testTimeout: 60_000,
  },
});
