import './shared-handles.js';
import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import type { SimulationResult } from './simulate.js';

// Not before the handles are shared.
const { simulate } = await import('./simulate.js');

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly seed?: number;
  readonly untilFound?: true;
  readonly quiet?: true;
}

/** What a process that simulates tells the one that started it. */
interface Told {
  readonly seed: number;
  readonly violation: string | null;
  readonly counts: readonly (readonly [string, number])[];
  readonly simulatedMs: number;
}

const LINES_SHOWN = 80;

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number of at least 1');
  return value;
}

const program = new Command('sim')
  .description(
    'Runs the daemon in simulated worlds full of faults. A seed that breaks a promise is printed and replays exactly.',
  )
  .option('--seeds <n>', 'how many worlds', count, 100)
  .option('--from <seed>', 'the first seed', count, 1)
  .option('--jobs <n>', 'processes', count, availableParallelism())
  .option('--seed <seed>', 'only this world, told step by step', count)
  .option('--until-found', 'end with the first violation')
  .option('--quiet', 'print only the summary')
  .action(async (options: Options) => {
    process.exitCode = options.seed === undefined ? await many(options) : await one(options.seed);
  });

function folderOf(name: string): string {
  const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  return join(mkdtempSync(join(root, 'np-sim-')), name);
}

/** Replays one seed. */
async function one(seed: number): Promise<number> {
  const folder = folderOf('world');
  try {
    const result = await simulate({ seed, folder, isTraced: true });
    mkdirSync('reports', { recursive: true });
    const file = `reports/sim-${String(seed)}.txt`;
    writeFileSync(file, `${result.trace.join('\n')}\n`);
    process.stdout.write(`${result.trace.slice(-LINES_SHOWN).join('\n')}\n`);
    process.stdout.write(`all of it: ${file}; fingerprint ${String(result.fingerprint)}\n`);
    if (result.violation === null) return 0;
    process.stdout.write(`seed ${String(seed)}: VIOLATION: ${result.violation}\n`);
    return 1;
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  }
}

async function many({ seeds, from, jobs, untilFound, quiet }: Options): Promise<number> {
  const startedMs = performance.now();
  const totals = new Map<string, number>();
  const found: Told[] = [];
  let done = 0;
  let simulatedMs = 0;
  const crashed: string[] = [];
  const children = Array.from({ length: jobs }, (_, job) =>
    fork(fileURLToPath(import.meta.url), ['--worker', String(from + job), String(from + seeds - 1), String(jobs)]),
  );
  await Promise.all(
    children.map(
      (child) =>
        new Promise<void>((resolve) => {
          child.on('message', (told: Told) => {
            done += 1;
            simulatedMs += told.simulatedMs;
            for (const [name, times] of told.counts) totals.set(name, (totals.get(name) ?? 0) + times);
            if (told.violation !== null) {
              found.push(told);
              process.stdout.write(`seed ${String(told.seed)}: VIOLATION: ${told.violation}\n`);
              if (untilFound === true) for (const other of children) other.kill();
            }
            if (quiet !== true && done % 500 === 0) process.stdout.write(`${String(done)} of ${String(seeds)} seeds\n`);
          });
          child.on('exit', (code, signal) => {
            if (code !== 0 && !(untilFound === true && found.length > 0))
              crashed.push(`a process ended with ${String(code ?? signal)}`);
            resolve();
          });
        }),
    ),
  );
  const tookS = (performance.now() - startedMs) / 1_000;
  const list = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `${name} ${String(times)}`);
  if (quiet !== true) process.stdout.write(`${list.join('\n')}\n`);
  const years = (simulatedMs / 3_600_000).toFixed(0);
  process.stdout.write(
    `${String(done)} seeds from ${String(from)}, ${years} simulated hours in ${tookS.toFixed(1)} s: ${String(found.length)} violations\n`,
  );
  for (const text of crashed) process.stdout.write(`${text}\n`);
  for (const { seed } of found.slice(0, 5)) process.stdout.write(`replay: npm run sim -- --seed ${String(seed)}\n`);
  return found.length > 0 || crashed.length > 0 || done < seeds ? 1 : 0;
}

/** Works off every `step`th seed and tells its parent. */
async function work(first: number, last: number, step: number): Promise<void> {
  const folder = folderOf('world');
  process.once('disconnect', () => process.exit());
  try {
    for (let seed = first; seed <= last; seed += step) {
      const result = await simulate({ seed, folder });
      process.send?.(told(result));
      // So that it leaves: within a simulation no turn of the loop is taken.
      await new Promise(setImmediate);
    }
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  }
  process.disconnect();
}

function told({ seed, violation, counts, simulatedMs }: SimulationResult): Told {
  return { seed, violation, counts: [...counts], simulatedMs };
}

const [, , mode, first, last, step] = process.argv;
if (mode === '--worker') await work(Number(first), Number(last), Number(step));
else await program.parseAsync();
