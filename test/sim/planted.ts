import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';

const PATCHES = 'test/sim/planted';
const COPIED = ['src', 'container', 'test', 'package.json', 'tsconfig.json', 'tsconfig.sim.json', 'dist-sim'];

/** Plants each bug of test/sim/planted in a copy of the tree and looks for the first seed that finds it. */
const program = new Command('sim:planted')
  .description('Plants known bugs, one at a time, and lets the simulator find them. Not found: exit 1.')
  .argument('[names...]', 'which ones; default: all')
  .option('--seeds <n>', 'how many worlds at most', '500')
  .action((names: readonly string[], { seeds }: { readonly seeds: string }) => {
    const all = readdirSync(PATCHES).map((file) => basename(file, '.patch'));
    const wanted = names.length === 0 ? all : names;
    const missed = wanted.filter((name) => !isFound(name, seeds));
    process.exitCode = missed.length > 0 ? 1 : 0;
  });

function isFound(name: string, seeds: string): boolean {
  const tree = mkdtempSync(join(tmpdir(), 'np-planted-'));
  try {
    for (const part of COPIED) cpSync(part, join(tree, part), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules'), join(tree, 'node_modules'));
    const inTree = { cwd: tree, encoding: 'utf8' } as const;
    execFileSync('git', ['apply', join(process.cwd(), PATCHES, `${name}.patch`)], inTree);
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.sim.json'], inTree);
    const startedMs = performance.now();
    const run = spawnSync(
      process.execPath,
      ['dist-sim/test/sim/main.js', '--seeds', seeds, '--until-found', '--quiet'],
      inTree,
    );
    const [line] = run.stdout.split('\n').filter((text) => text.includes('VIOLATION'));
    const tookS = ((performance.now() - startedMs) / 1_000).toFixed(0);
    process.stdout.write(`${name}: ${line ?? `not found in ${seeds} seeds`} (${tookS} s)\n`);
    return line !== undefined;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

program.parse();
