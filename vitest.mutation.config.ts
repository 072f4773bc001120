import { defineConfig } from 'vitest/config';

/** What Stryker runs for every mutant of src/core: its unit tests alone, with the chances of property tests fixed. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/unit/core/**/*.test.ts'],
    setupFiles: ['test/support/fixed-chances.ts'],
    testTimeout: 10_000,
  },
});
