// Writes the tables of docs/configuration.md from the settings themselves; run by `npm run docs:config`.
import { readFileSync, writeFileSync } from 'node:fs';
import { withSettingTables } from '../dist/src/config/reference.js';

const page = new URL('../docs/configuration.md', import.meta.url);
writeFileSync(page, withSettingTables(readFileSync(page, 'utf8')));
