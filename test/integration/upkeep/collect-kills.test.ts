import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, bundled } from '../../support/bundle.js';
import { CollectBench } from '../../support/collect-bench.js';
import { memoryFolder } from '../../support/crash-bench.js';
import { readPoints, RUN_FILES } from '../../support/crash-points.js';
import { isWholeSuite } from '../../support/whole-suite.js';

/** Of the points at which it leaves something new: a whole suite takes all of them. */
const EVERY = isWholeSuite ? 1 : 3;

describe('L4, L9: upkeep, killed with SIGKILL at its writes', () => {
  let programs: string;
  let bench: CollectBench;

  beforeAll(async () => {
    programs = memoryFolder();
    await bundle(programs, 'collect-host');
    bench = await CollectBench.fresh();
  }, 60_000);
  afterAll(() => {
    bench.close();
    rmSync(programs, { recursive: true, force: true });
  });

  /** In a process of its own; `at` 0: it is not killed. */
  async function host(at: number): Promise<{ readonly killed: boolean }> {
    bench.restore();
    writeFileSync(join(bench.folder, RUN_FILES.world), '{}');
    writeFileSync(join(bench.folder, RUN_FILES.points), '');
    const args = [bundled(programs, 'collect-host'), bench.folder, String(at)];
    return new Promise((resolve, reject) => {
      execFile(process.execPath, args, (error, _stdout, stderr) => {
        if (error === null) resolve({ killed: false });
        else if (error.signal === 'SIGKILL') resolve({ killed: true });
        else reject(new Error(stderr));
      });
    });
  }

  /** What the next host makes of it. */
  async function after(where: string): Promise<unknown> {
    const p = bench.open();
    expect(bench.breaches(p), where).toEqual([]);
    const outcome = await bench.catchUp(p);
    await p.rounds.stop();
    p.abandon();
    return outcome;
  }

  it('nothing is left half done, nothing lost, and it ends alike', { timeout: 180_000 }, async () => {
    expect(await host(0)).toEqual({ killed: false });
    const points = readPoints(bench.folder);
    const whole = await after('not killed');
    const seen = new Set<string>();
    const fresh = points.flatMap(({ what, leaves }, index) => {
      if (seen.has(leaves)) return [];
      seen.add(leaves);
      return [{ what, at: index + 1 }];
    });
    const news = fresh.filter((_, index) => index % EVERY === 0);
    expect(news.length).toBeGreaterThan(5);
    for (const { what, at } of news) {
      const where = `killed ${what} (${String(at)})`;
      expect(await host(at), where).toEqual({ killed: true });
      expect(await after(where), where).toEqual(whole);
    }
    process.stderr.write(
      `upkeep: ${String(points.length)} points, ${String(fresh.length)} of which leave something new; SIGKILL ${String(news.length)}\n`,
    );
  });
});
