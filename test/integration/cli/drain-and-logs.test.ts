import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../../support/cli.js';
import type { RunningCli } from '../../support/cli.js';
import { ProcessesView } from '../../support/containers-view.js';
import { makeDataDir } from '../../support/desk-fixture.js';
import { eventually } from '../../support/eventually.js';

let dataDir: string;
const daemons: RunningCli[] = [];

beforeEach(() => {
  dataDir = makeDataDir('drain');
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.child.kill('SIGKILL');
    await daemon.result;
  }
  await new ProcessesView(dataDir).reap();
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

const cli = (...args: readonly string[]) => runCli([...args, '--data-dir', dataDir]);

async function startDaemon(): Promise<RunningCli> {
  const daemon = startCli(['start', '--runtime', 'process', '--data-dir', dataDir]);
  daemons.push(daemon);
  await eventually('the daemon listens', () => existsSync(join(dataDir, 'nightporter.sock')), { timeoutMs: 25_000 });
  return daemon;
}

describe('drain', () => {
  it('returns when the daemon is gone: a start right after it is not refused', async () => {
    const first = await startDaemon();
    await cli('send', 'demo/first', 'hello');
    expect((await cli('drain')).code).toBe(0);
    expect(() => process.kill(first.child.pid ?? 0, 0)).toThrow(/ESRCH/);
    await startDaemon();
    expect((await cli('status', '--json')).stdout).toContain('"running": true');
  });
});

describe('logs', () => {
  it('shows the last lines that are asked for, of a run that is over', async () => {
    await startDaemon();
    const script = 'for n in 1 2 3 4; do echo line $n >&2; done; echo answer';
    await cli('session', 'create', 'demo/first', '--command', `sh -c '${script}'`);
    await cli('send', 'demo/first', 'hello');
    await eventually('the answer', async () => (await cli('replies', 'demo/first')).stdout.includes('answer'), {
      timeoutMs: 20_000,
    });
    const all = await cli('logs', 'demo/first');
    expect(all.code).toBe(0);
    const lines = all.stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.includes('line '))).toHaveLength(4);
    expect((await cli('logs', 'demo/first', '--tail', '2')).stdout.trimEnd().split('\n')).toEqual(lines.slice(-2));
    expect((await cli('logs', 'demo/first', '--tail', '1000')).stdout).toBe(all.stdout);
  });
});
