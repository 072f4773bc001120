import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withSettingTables } from '../../../src/config/reference.js';

it('keeps docs/configuration.md in step with the settings (npm run docs:config rewrites it)', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  expect(page).toBe(withSettingTables(page));
});
