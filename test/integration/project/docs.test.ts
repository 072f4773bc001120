import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { GROUP_SETTINGS, HOST_SETTINGS, fieldOf } from '../../../src/config.js';
import type { SettingName } from '../../../src/config.js';
import { FACTS } from '../../../src/config/kinds.js';
import { withSettingTables } from '../../../src/config/reference.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

it('keeps docs/configuration.md in step with the settings (npm run docs:config rewrites it)', () => {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
  expect(page).toBe(withSettingTables(page));
});

it('applies every setting that it does not call "not applied yet", and those it calls so are not', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const sources = files.filter(
    (file) => file.endsWith('.ts') && (!file.startsWith('config/') || file === 'config/policy.ts'),
  );
  const text = sources.map((file) => readFileSync(join(root, 'src', file), 'utf8')).join('\n');
  const unused = Object.entries({ ...HOST_SETTINGS.shape, ...GROUP_SETTINGS.shape }).flatMap(([name, schema]) => {
    const isUsed = new RegExp(`\\.${fieldOf(name as SettingName)}\\b`).test(text);
    const saysNotYet = FACTS.get(schema)?.text.includes('Not applied yet') === true;
    return isUsed === saysNotYet ? [name] : [];
  });
  expect(unused).toEqual([]);
});
