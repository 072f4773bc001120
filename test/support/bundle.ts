import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Programs of this folder as one file each, that begin in a third of the time that their modules would take: where a
 * test starts them by the hundred. `built` is for what users start.
 */
export async function bundle(folder: string, ...names: readonly string[]): Promise<void> {
  const out = join(folder, 'bundle');
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'warn',
    ssr: { noExternal: true, external: ['better-sqlite3'] },
    build: {
      ssr: true,
      outDir: out,
      emptyOutDir: true,
      target: 'node20',
      minify: true,
      rolldownOptions: {
        input: Object.fromEntries(names.map((name) => [name, join(ROOT, 'test/support', `${name}.ts`)])),
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

export function bundled(folder: string, name: string): string {
  return join(folder, 'bundle', `${name}.mjs`);
}
