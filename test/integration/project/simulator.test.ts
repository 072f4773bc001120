import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMPILE_MS = 120_000;
/** Not where `npm run sim` may be running from meanwhile. */
const COMPILED = 'reports/simulator';

function replay(seed: number): string {
  const run = spawnSync(process.execPath, [`${COMPILED}/test/sim/main.js`, '--seed', String(seed)], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return /fingerprint -?\d+/.exec(run.stdout)?.[0] ?? run.stderr;
}

describe('the simulator', () => {
  beforeAll(() => {
    execFileSync(
      process.execPath,
      [
        'node_modules/typescript/bin/tsc',
        '-p',
        'tsconfig.sim.json',
        ...['--outDir', COMPILED, '--tsBuildInfoFile', `${COMPILED}/.tsbuildinfo`],
      ],
      { cwd: ROOT },
    );
  }, COMPILE_MS);

  it('makes the same world of the same seed, to the last step', () => {
    const [first, second] = [replay(12), replay(12)];
    expect(first).toMatch(/^fingerprint/);
    expect(second).toBe(first);
    expect(replay(13)).not.toBe(first);
  });
});

describe('a planted bug', () => {
  const patches = readdirSync(`${ROOT}test/sim/planted`);

  it.each(patches)('%s fits the code', (patch) => {
    const run = spawnSync('git', ['apply', '--check', `test/sim/planted/${patch}`], { cwd: ROOT, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  });
});
