import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundle, bundled } from '../../support/bundle.js';
import { CrashBench, keptBy, memoryFolder, outcomes, toRest } from '../../support/crash-bench.js';
import type { World } from '../../support/crash-bench.js';
import { readPoints, RUN_FILES } from '../../support/crash-points.js';
import { SCENARIOS } from '../../support/crash-scenarios.js';
import type { CrashScenario } from '../../support/crash-scenarios.js';
import { breachesAtRest, breachesInRound, forgottenStarts, overlooked } from '../../support/invariants.js';
import { session } from '../../support/porter.js';
import { isWholeSuite } from '../../support/whole-suite.js';

/** Of the points at which it leaves something new: a whole suite takes all of them, which needs minutes. */
const EVERY = isWholeSuite ? 1 : 6;
/** Hosts that are killed side by side. */
const LANES = 2;

let programs: string;
let benches: CrashBench[] = [];

beforeAll(async () => {
  programs = memoryFolder();
  await bundle(programs, 'crash-host', 'crash-worker');
});
afterAll(() => {
  rmSync(programs, { recursive: true, force: true });
});
afterEach(() => {
  for (const bench of benches) bench.close();
  benches = [];
});

type Files = 'in the host' | 'in a worker';

/** A host of its own process, killed at one of its points; 0: at none. */
async function host(bench: CrashBench, files: Files, at: number): Promise<{ readonly killed: boolean }> {
  const { folder, scenario } = bench;
  writeFileSync(join(folder, RUN_FILES.world), JSON.stringify(bench.again()));
  writeFileSync(join(folder, RUN_FILES.points), '');
  writeFileSync(join(folder, RUN_FILES.at), String(at));
  const args = [bundled(programs, 'crash-host'), folder, scenario.name, String(at)];
  if (files === 'in a worker') args.push(bundled(programs, 'crash-worker'));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, _stdout, stderr) => {
      if (error === null) resolve({ killed: false });
      else if (error.signal === 'SIGKILL') resolve({ killed: true });
      else reject(new Error(stderr));
    });
  });
}

/** What a host that is started now makes of it: every promise is kept. */
async function expectKept(
  bench: CrashBench,
  where: string,
): Promise<{ readonly isHot: boolean; readonly ended: string }> {
  const world = JSON.parse(readFileSync(join(bench.folder, RUN_FILES.world), 'utf8')) as World;
  const isHot = hasHotJournal(bench);
  const stage = bench.openIn(world);
  const { p, runners } = stage;
  const kept = { ...keptBy(p), forgetful: (bench.scenario.parts?.foreign ?? []).map(session) };
  // With a journal beside it a file can only be read by the host that rolls it back.
  if (!isHot) none(where, overlooked(kept));
  await bench.scenario.again?.(stage);
  await toRest(stage, () => {
    none(where, [...breachesInRound(kept, p.rounds.state().running), ...forgottenStarts(kept, runners.story)]);
  });
  none(where, breachesAtRest(kept, runners.story));
  const ended = JSON.stringify(outcomes(p));
  await p.rounds.stop();
  p.abandon();
  return { isHot, ended };
}

function none(where: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${where}: ${found.join('; ')}`);
}

function hasHotJournal({ dataDir }: CrashBench): boolean {
  return ['g/a', 'g/b', 'g/f']
    .flatMap((session) => [`${session}/in/inbound.db`, `${session}/out/outbound.db`])
    .map((file) => join(dataDir, 'sessions', `${file}-journal`))
    .some((journal) => existsSync(journal) && statSync(journal).size > 0);
}

/** Kills a host at every point at which it leaves something that it did not leave before. */
async function killEverywhere(scenario: CrashScenario, files: Files) {
  benches = Array.from({ length: LANES }, () => CrashBench.fresh(scenario));
  for (const bench of benches) await bench.arrange();
  const [first] = benches;
  if (first === undefined) throw new Error('no lanes');
  expect(await host(first, files, 0)).toEqual({ killed: false });
  const points = readPoints(first.folder);
  const whole = await expectKept(first, 'not killed');
  const seen = new Set<string>();
  const fresh = points.flatMap(({ what, leaves }, index) => {
    if (seen.has(leaves)) return [];
    seen.add(leaves);
    return [{ what, at: index + 1 }];
  });
  const news = fresh.filter((_, index) => index % EVERY === 0);
  const queue = news.values();
  let hot = 0;
  const lane = async (bench: CrashBench): Promise<void> => {
    for (const { what, at } of queue) {
      expect(await host(bench, files, at), what).toEqual({ killed: true });
      expect(readPoints(bench.folder).at(-1)?.what).toBe(what);
      const { isHot, ended } = await expectKept(bench, `killed ${what} (${String(at)})`);
      if (scenario.endsAlike === true) expect(ended, `killed ${what} (${String(at)})`).toBe(whole.ended);
      if (isHot) hot += 1;
    }
  };
  await Promise.all(benches.map(lane));
  return { points: points.length, fresh: fresh.length, killed: news.length, hot };
}

function tell(name: string, { points, fresh, killed, hot }: Awaited<ReturnType<typeof killEverywhere>>): void {
  process.stdout.write(
    `${name}: ${String(points)} points, ${String(fresh)} of which leave something new; SIGKILL ${String(killed)}, ${String(hot)} with a hot journal\n`,
  );
}

describe('F5, F7, F10, F22: a host killed with SIGKILL at every write keeps every promise', () => {
  let hot = 0;

  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout: 120_000 },
    async (name, scenario) => {
      const found = await killEverywhere(scenario, 'in the host');
      tell(name, found);
      expect(found.killed).toBeGreaterThan(0);
      hot += found.hot;
    },
  );

  it('F2: many of them leave a hot journal behind', () => {
    expect(hot).toBeGreaterThan(SCENARIOS.length / EVERY);
  });

  it('and so does one that is killed together with its file worker', { timeout: 120_000 }, async () => {
    const scenario = SCENARIOS.find(({ name }) => name.startsWith('acks and claims that an ended container'));
    if (scenario === undefined) throw new Error('no such scenario');
    const found = await killEverywhere(scenario, 'in a worker');
    tell(`${scenario.name}, by a file worker`, found);
    expect(found.hot).toBeGreaterThan(0);
  });
});
