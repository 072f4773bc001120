import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Path of a compiled file, for child processes that cannot load TypeScript: `built('src/main.js')`. */
export function built(path: string): string {
  const file = `${root}dist/${path}`;
  if (!existsSync(file)) throw new Error(`${file} is missing: run "npm run build" before the tests`);
  return file;
}
