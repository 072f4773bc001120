import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { afterEach, expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../src/protocol/address.js';
import { formatLabels, MARKER_VARIABLE } from '../../src/runtime/process/process-marker.js';
import type { ContainerId, InstallId } from '../../src/ports/runtime.js';
import { LABELS } from '../../src/runtime/spec-labels.js';
import { installId } from '../../src/store/install-id.js';
import { describeOnBoth, describeOnDocker, describeOnProcesses, PATIENCE_MS, say } from '../support/daemon.js';
import { BASE_IMAGE } from '../support/docker-engine.js';
import { eventually } from '../support/eventually.js';

const TEST_MS = 4 * PATIENCE_MS;
const RUNS = 5;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function bareNodeMs(): Promise<number> {
  const startedAtMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => {
      resolve(performance.now() - startedAtMs);
    });
  });
}

await describeOnBoth('one data dir', ({ open, itOnce }) => {
  itOnce(
    'F6: a second daemon leaves with 5 within a second, says who holds it, and disturbs nothing',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.createScript('demo/slow', 'sleep 5; echo done');
      const id = await daemon.send('demo/slow', 'work');
      await daemon.untilClaimed('demo/slow');

      const bare: number[] = [];
      const second: number[] = [];
      for (let run = 0; run < RUNS; run += 1) {
        bare.push(await bareNodeMs());
        const startedAtMs = performance.now();
        const result = await daemon.launch().result;
        second.push(performance.now() - startedAtMs);
        expect(result.code).toBe(5);
        expect(result.stderr).toContain(String(daemon.pid));
        expect(result.stderr).toContain(daemon.dataDir);
      }

      say(`second daemon: ${median(second).toFixed(0)} ms, bare node: ${median(bare).toFixed(0)} ms`);
      // On a busy machine all of it takes longer, in proportion.
      expect(median(second)).toBeLessThan(1_000 + 4 * median(bare));
      await daemon.untilEnded('demo/slow', [id]);
      expect(daemon.message('demo/slow', id)).toMatchObject({ status: 'completed', tries: 0 });
      expect(daemon.incarnations('demo/slow')).toHaveLength(1);
    },
    TEST_MS,
  );

  itOnce(
    'F6: the lock is free right after kill -9',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.end('SIGKILL');
      await daemon.start();
      expect((await daemon.status()).daemon).toEqual({ running: true, pid: daemon.pid });
    },
    TEST_MS,
  );
});

await describeOnDocker('whose containers', ({ engine, open }) => {
  const made: string[] = [];
  afterEach(async () => {
    for (const id of made.splice(0)) {
      await engine.docker
        .getContainer(id)
        .remove({ force: true })
        .catch((error: unknown) => {
          const { statusCode } = error as { readonly statusCode?: number };
          if (statusCode !== 404 && statusCode !== 409) throw error;
        });
    }
  });

  async function bareContainer(labels: Readonly<Record<string, string>>, isRunning = true): Promise<string> {
    const container = await engine.docker.createContainer({
      Image: BASE_IMAGE,
      Cmd: ['sleep', '1000'],
      Labels: { ...labels },
      HostConfig: { NetworkMode: 'none' },
    });
    made.push(container.id);
    if (isRunning) await container.start();
    return container.id;
  }

  async function isThere(id: string): Promise<boolean> {
    const all = await engine.docker.listContainers({ all: true });
    return all.some((one) => one.Id === id);
  }

  it(
    'F19: what has no label or a foreign one is untouched; what has ours and no session is gone after the start',
    async () => {
      const daemon = open();
      const install = installId(daemon.dataDir);
      const of = (id: string) => ({ [LABELS.install]: id, [LABELS.session]: 'gone/session', [LABELS.epoch]: '1' });
      const foreign = [
        await bareContainer({}),
        await bareContainer(of('another-install')),
        await bareContainer(of(`${install}0`)),
        await bareContainer({ 'some.label': install }),
      ];
      const ours = [
        await bareContainer(of(install)),
        await bareContainer(of(install), false),
        await bareContainer({ [LABELS.install]: install }),
        await bareContainer({ [LABELS.install]: install, [LABELS.session]: '../../etc', [LABELS.epoch]: 'x' }),
      ];

      await daemon.start();

      for (const id of ours) {
        await eventually('ours is gone', async () => !(await isThere(id)), { timeoutMs: PATIENCE_MS });
      }
      await daemon.sweep();
      for (const id of foreign) {
        expect((await engine.docker.getContainer(id).inspect()).State.Running).toBe(true);
      }
      expect(await daemon.status()).toMatchObject({ sessions: { total: 0 }, containers: { running: 0 } });

      // Later rounds do the same.
      const later = await bareContainer(of(install));
      const report = await daemon.sweep();
      expect(report.actions).toMatchObject([{ action: 'remove', reason: 'no_session', containerId: later }]);
      await eventually('it is gone', async () => !(await isThere(later)), { timeoutMs: PATIENCE_MS });
    },
    TEST_MS,
  );
});

describeOnProcesses('whose processes', ({ open }) => {
  const started: number[] = [];
  afterEach(() => {
    for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });

  /** Outside of the test's own process, as a lost runner would be. */
  function markedProcess(install: string): number {
    const marker = formatLabels({
      id: `np-lost-${install}.0123456789abcdef` as ContainerId,
      install: install as InstallId,
      session: 'gone/session' as SessionAddress,
      epoch: 1 as Epoch,
      specHash: 'x',
    });
    const child = spawn('sleep', ['1000'], { env: { [MARKER_VARIABLE]: marker }, stdio: 'ignore', detached: true });
    if (child.pid === undefined) throw new Error('sleep does not start');
    started.push(child.pid);
    return child.pid;
  }

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  it(
    "F19: a lost runner of this install is gone after the start, another install's runs on",
    async () => {
      const daemon = open();
      const ours = markedProcess(installId(daemon.dataDir));
      const foreign = markedProcess('another-install');

      await daemon.start();

      await eventually('ours is gone', () => !isAlive(ours), { timeoutMs: PATIENCE_MS });
      await daemon.sweep();
      expect(isAlive(foreign)).toBe(true);
    },
    TEST_MS,
  );
});
