import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../../src/protocol/address.js';
import type { Container, ContainerId, ContainerSpec, RuntimeEvent, StartResult } from '../../../src/ports/runtime.js';
import type { ProcessRuntime } from '../../../src/runtime/process/process-runtime.js';
import { built } from '../../support/built.js';
import { eventually, within } from '../../support/eventually.js';
import { ProcessHarness, PROGRAMS } from '../../support/process-harness.js';

const SESSION = 'faults/one' as SessionAddress;
const EPOCH_1 = 1 as Epoch;
const EPOCH_2 = 2 as Epoch;

describe('process runtime', () => {
  let harness: ProcessHarness;
  let runtime: ProcessRuntime;

  beforeEach(() => {
    harness = new ProcessHarness();
    runtime = harness.runtime;
  });
  afterEach(async () => {
    await harness.cleanup();
  });

  function specOf(program: string, session = SESSION): Promise<ContainerSpec> {
    return harness.specFor({ session, epoch: EPOCH_1, program });
  }

  async function launch(program: string, ready?: string): Promise<{ spec: ContainerSpec; container: Container }> {
    const spec = await specOf(program);
    const result = await runtime.start(spec);
    if (result.kind !== 'started') throw new Error(JSON.stringify(result));
    if (ready !== undefined) await untilOutput(result.container.id, ready);
    return { spec, container: result.container };
  }

  function untilOutput(id: ContainerId, text: string): Promise<string> {
    return eventually(`"${text}" in the output`, async () => {
      const output = await runtime.logs(id, 4096);
      return output.includes(text) ? output : undefined;
    });
  }

  function untilExited(name: string, by = runtime): Promise<Container> {
    return eventually('the exit', async () => {
      const found = await by.inspect(name);
      return found?.state === 'exited' ? found : undefined;
    });
  }

  const folderOf = (spec: ContainerSpec, container: Container): string => join(spec.hostDir, 'run', container.id);
  const indexOf = (name: string): string => join(harness.dataDir, 'run', `${name}.json`);
  const pidOf = (folder: string, who: 'shim' | 'runner'): number => {
    const record = JSON.parse(readFileSync(join(folder, `${who}.json`), 'utf8')) as Record<string, { pid: number }>;
    return record[who]?.pid ?? Number.NaN;
  };

  describe('when the daemon is killed', () => {
    /** Another process that starts a container, then dies of SIGKILL together with its process group. */
    async function startAndDie(spec: ContainerSpec): Promise<Container> {
      const options = {
        dataDir: harness.dataDir,
        install: harness.install,
        shimEntry: built('src/runtime/process/shim.js'),
        runnerEntry: PROGRAMS,
        nodePath: process.execPath,
        deadlineMs: 20_000,
      };
      const order = { runtimeFile: built('src/runtime/process/process-runtime.js'), options, spec };
      const entry = fileURLToPath(new URL('./start-and-die.mjs', import.meta.url));
      const daemon = spawn(process.execPath, [entry, JSON.stringify(order)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      });
      const line = await within(
        'a start',
        20_000,
        new Promise<string>((resolve) =>
          daemon.stdout.once('data', (chunk: Buffer) => {
            resolve(chunk.toString('utf8'));
          }),
        ),
      );
      const gone = new Promise((resolve) => daemon.once('exit', resolve));
      // Its whole process group, as a terminal does.
      process.kill(-(daemon.pid ?? Number.NaN), 'SIGKILL');
      await gone;
      const result = JSON.parse(line) as StartResult;
      if (result.kind !== 'started') throw new Error(line);
      return result.container;
    }

    it('F22: its containers run on, are listed by the next one, and their end is recorded with all their output', async () => {
      const base = await specOf('slow-exit');
      const container = await startAndDie({ ...base, environment: { ...base.environment, NP_TEST_DELAY_MS: '1500' } });

      expect(await runtime.list()).toEqual([container]);
      expect((await runtime.start({ ...base, epoch: EPOCH_2 })).kind).toBe('exists');
      const abort = new AbortController();
      const events = runtime.events(abort.signal)[Symbol.asyncIterator]();
      const first = await within('the exit event', 10_000, events.next());
      abort.abort();

      expect(first.value).toEqual({ kind: 'exited', session: SESSION, epoch: EPOCH_1 } satisfies RuntimeEvent);
      const end = await runtime.harvest(await untilExited(container.name));
      expect(end).toMatchObject({ exitCode: 5, signal: null, output: 'ready\ndone\n' });
    });

    it('its containers are stopped by the next one', async () => {
      const container = await startAndDie(await specOf('sleep'));
      await untilOutput(container.id, 'ready');
      expect(await runtime.stop(container.id, 10_000)).toEqual({ kind: 'gone' });
      expect(await runtime.harvest(container)).toMatchObject({ exitCode: 0 });
    });
  });

  describe('when a shim is killed', () => {
    it('F22: its runner is still listed as running, holds its name, and can be stopped and harvested', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      const runner = pidOf(folder, 'runner');
      process.kill(pidOf(folder, 'shim'), 'SIGKILL');
      await eventually('the end of the shim', () => !isAlive(pidOf(folder, 'shim')));

      for (const one of [runtime, harness.open()]) {
        expect(await one.inspect(container.name)).toEqual(container);
        expect(await one.list()).toEqual([container]);
      }
      expect((await runtime.start({ ...spec, epoch: EPOCH_2 })).kind).toBe('exists');
      expect(await runtime.stop(container.id, 10_000)).toEqual({ kind: 'gone' });

      expect(isAlive(runner)).toBe(false);
      expect(await runtime.harvest(container)).toMatchObject({ exitCode: null, signal: null, output: 'ready\n' });
      expect(await runtime.list()).toEqual([]);
    });

    it('tells the exit of its runner', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      const abort = new AbortController();
      const events = runtime.events(abort.signal)[Symbol.asyncIterator]();
      const next = events.next();
      process.kill(pidOf(folder, 'shim'), 'SIGKILL');
      await eventually('the end of the shim', () => !isAlive(pidOf(folder, 'shim')));
      process.kill(pidOf(folder, 'runner'), 'SIGKILL');
      expect((await within('the exit event', 10_000, next)).value).toMatchObject({ kind: 'exited', session: SESSION });
      abort.abort();
    });

    it('F5: its runner is found even if the shim had recorded nothing of it', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      process.kill(pidOf(folder, 'shim'), 'SIGKILL');
      rmSync(join(folder, 'runner.json'));

      expect(await runtime.inspect(container.name)).toMatchObject({ id: container.id, state: 'running' });
      expect((await runtime.start(spec)).kind).toBe('exists');
      expect(await runtime.stop(container.id, 10_000)).toEqual({ kind: 'gone' });
      expect((await runtime.inspect(container.name))?.state).toBe('exited');
    });
  });

  describe('when files are lost', () => {
    it('F5, F22: a runner without any files is listed with its labels, holds its name and can be removed', async () => {
      const { spec, container } = await launch('ignore-term', 'ready');
      const runner = pidOf(folderOf(spec, container), 'runner');
      rmSync(join(harness.dataDir, 'run'), { recursive: true });
      rmSync(spec.hostDir, { recursive: true });
      mkdirSync(spec.hostDir);

      const other = harness.open();
      const [stray, ...rest] = await other.list();
      expect(rest).toEqual([]);
      expect(stray).toMatchObject({ ...container, startedAtMs: expect.any(Number) as number });
      expect(Math.abs((stray?.startedAtMs ?? 0) - (container.startedAtMs ?? 0))).toBeLessThan(5_000);
      expect(await other.inspect(container.name)).toEqual(stray);
      expect(await other.start({ ...spec, epoch: EPOCH_2 })).toEqual({ kind: 'exists', container: stray });
      expect(await harness.foreign.runtime.list()).toEqual([]);

      await other.remove(container.id);
      expect(isAlive(runner)).toBe(false);
      expect(await other.list()).toEqual([]);
      expect((await other.start({ ...spec, epoch: EPOCH_2 })).kind).toBe('started');
    });

    it('an index entry torn by a power failure does not hold its name for ever', async () => {
      const { spec, container } = await launch('exit-0');
      await runtime.remove(container.id);
      writeFileSync(indexOf(spec.name), '');
      expect(await runtime.list()).toEqual([]);
      expect((await runtime.start(spec)).kind).toBe('started');
    });

    it('leavings of a crash between harvest and deletion go with the next start', async () => {
      const spec = await specOf('sleep');
      mkdirSync(join(spec.hostDir, 'run', 'left'), { recursive: true });
      await runtime.start(spec);
      await eventually('only the new folder', () => readdirSync(join(spec.hostDir, 'run')).length === 1);
    });
  });

  describe('identity', () => {
    it('does not mistake a later process with the same pid for its runner, and leaves that process alone', async () => {
      const { spec, container } = await launch('exit-0');
      await untilExited(spec.name);
      const folder = folderOf(spec, container);
      await eventually('the record', () => existsSync(join(folder, 'exit.json')));
      rmSync(join(folder, 'exit.json'));
      const bystander = spawn('sleep', ['60']);
      const record = JSON.parse(readFileSync(join(folder, 'runner.json'), 'utf8')) as { runner: object };
      const forged = { ...record, runner: { ...record.runner, pid: bystander.pid } };
      writeFileSync(join(folder, 'runner.json'), JSON.stringify(forged));

      expect((await runtime.inspect(spec.name))?.state).toBe('exited');
      expect(await runtime.stop(container.id, 1_000)).toEqual({ kind: 'gone' });
      await runtime.remove(container.id);
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
      bystander.kill('SIGKILL');
    });

    it('does not mistake a process of this boot for one of an earlier boot', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      const file = join(folder, 'runner.json');
      const record = JSON.parse(readFileSync(file, 'utf8')) as { runner: object };
      writeFileSync(file, JSON.stringify({ ...record, runner: { ...record.runner, bootId: 'an earlier boot' } }));
      expect((await runtime.inspect(spec.name))?.state).toBe('exited');
      process.kill(pidOf(folder, 'runner'), 'SIGKILL');
    });

    it('takes a zombie as gone', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      const shim = pidOf(folder, 'shim');
      const runner = pidOf(folder, 'runner');
      process.kill(shim, 'SIGSTOP');
      process.kill(runner, 'SIGKILL');
      await eventually('a zombie', () => readFileSync(`/proc/${String(runner)}/stat`, 'utf8').includes(') Z '));

      expect((await runtime.inspect(spec.name))?.state).toBe('exited');
      expect((await runtime.list())[0]?.state).toBe('exited');

      process.kill(shim, 'SIGCONT');
      expect(await runtime.harvest(container)).toMatchObject({ signal: 'SIGKILL' });
    });

    it('F5: an entry whose daemon died before the shim came is exited, and no late shim starts its runner', async () => {
      const { spec, container } = await launch('sleep', 'ready');
      const folder = folderOf(spec, container);
      const entry = JSON.parse(readFileSync(indexOf(spec.name), 'utf8')) as { creator: { pid: number } };
      await runtime.stop(container.id, 10_000);
      for (const file of ['shim.json', 'runner.json', 'exit.json']) rmSync(join(folder, file));
      expect((await runtime.inspect(spec.name))?.state).toBe('created');
      writeFileSync(indexOf(spec.name), JSON.stringify({ ...entry, creator: { ...entry.creator, start: '1' } }));

      expect((await runtime.inspect(spec.name))?.state).toBe('exited');
      const order = {
        folder,
        runner: [process.execPath, PROGRAMS],
        cwd: '/',
        environment: { NP_TEST_PROGRAM: 'sleep' },
      };
      symlinkSync('void', join(folder, 'shim.json'));
      expect(await runShim(order)).toEqual({ kind: 'void' });
      expect(await runtime.harvest(container)).toMatchObject({ exitCode: null });
      // Its folder is gone with the harvest: later still, a shim cannot begin either.
      await eventually('the end of the folder', () => !existsSync(folder));
      expect(await runShim(order)).toMatchObject({ kind: 'failed' });
    });
  });

  it('kills what the runner leaves in its group, and what left the group at the harvest', async () => {
    const { spec, container } = await launch('leave-children', 'children');
    const [, inGroup = 0, left = 0] = (/children (\d+) (\d+)/.exec(await runtime.logs(container.id, 4096)) ?? []).map(
      Number,
    );
    expect([isAlive(inGroup), isAlive(left)]).toEqual([true, true]);

    process.kill(pidOf(folderOf(spec, container), 'runner'), 'SIGTERM');
    await untilExited(spec.name);
    await eventually('the end of the child in the group', () => !isAlive(inGroup));

    // It still holds the output open, which does not keep the exit from being recorded.
    expect(await runtime.harvest(container)).toMatchObject({ exitCode: 3 });
    expect(isAlive(left)).toBe(false);
    expect(await runtime.list()).toEqual([]);
  });

  it('F31: bounds what it keeps of an output of 50 MB, and keeps the end', async () => {
    const { spec, container } = await launch('huge-output');
    await untilExited(spec.name);
    const folder = folderOf(spec, container);
    await eventually('the record', () => existsSync(join(folder, 'exit.json')));
    const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    expect(bytes).toBeLessThan(2.1 * 1024 * 1024);
    const { output } = await runtime.harvest(container);
    expect(output.endsWith('the last line\n')).toBe(true);
    expect(Buffer.byteLength(output)).toBe(65_536);
  });

  it('F40: the runner has exactly the environment of its spec and one marker', async () => {
    const { container } = await launch('environment', 'end of environment');
    const names = (await runtime.logs(container.id, 65_536))
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['NIGHTPORTER_CONTAINER', 'NP_TEST_PROGRAM']);
    expect(readFileSync(indexOf(container.name), 'utf8')).not.toContain('NP_TEST_PROGRAM');
  });

  it('F40: the shim has nothing of the daemon in its environment, nor the secrets of the spec in its arguments', async () => {
    const { spec, container } = await launch('sleep', 'ready');
    const shim = String(pidOf(folderOf(spec, container), 'shim'));
    expect(readFileSync(`/proc/${shim}/environ`, 'utf8')).toBe('');
    expect(readFileSync(`/proc/${shim}/cmdline`, 'utf8')).not.toContain('NP_TEST_PROGRAM');
  });

  it('F18: TERM to the shim reaches the runner', async () => {
    const { spec, container } = await launch('sleep', 'ready');
    process.kill(pidOf(folderOf(spec, container), 'shim'), 'SIGTERM');
    await untilExited(spec.name);
    expect(await runtime.harvest(container)).toMatchObject({ exitCode: 0, signal: null });
  });

  it('stops a runner that is frozen by SIGSTOP', async () => {
    const { spec, container } = await launch('sleep', 'ready');
    process.kill(pidOf(folderOf(spec, container), 'runner'), 'SIGSTOP');
    expect(await runtime.stop(container.id, 300)).toEqual({ kind: 'gone' });
    expect(await runtime.harvest(container)).toMatchObject({ signal: 'SIGKILL' });
  });

  it("a shim that breaks makes the start fail as the machine's fault, with what it said, and frees the name", async () => {
    const shimEntry = join(harness.dataDir, 'broken-shim.mjs');
    writeFileSync(shimEntry, 'throw new Error("out of cheese");');
    const spec = await specOf('sleep');
    await expect(harness.open({ shimEntry }).start(spec)).rejects.toThrow(/out of cheese/);
    expect((await runtime.start(spec)).kind).toBe('started');
  });

  it('keeps a shim waiting, which takes the next start and ends with the runtime', async () => {
    const one = harness.open();
    await one.prepare();
    const waiting = await eventually('a waiting shim', () => childrenOf(process.pid).find((pid) => isShim(pid)));
    const spec = await specOf('sleep');
    expect((await one.start(spec)).kind).toBe('started');
    const [id = ''] = readdirSync(join(spec.hostDir, 'run'));
    expect(pidOf(join(spec.hostDir, 'run', id), 'shim')).toBe(waiting);

    const next = await eventually('another', () =>
      childrenOf(process.pid).find((pid) => pid !== waiting && isShim(pid)),
    );
    await one.close();
    await eventually('its end', () => !isAlive(next));
    expect(isAlive(waiting)).toBe(true);
  });

  it('starts all the same when the waiting shim was killed', async () => {
    const one = harness.open();
    await one.prepare();
    const waiting = await eventually('a waiting shim', () => childrenOf(process.pid).find((pid) => isShim(pid)));
    process.kill(waiting, 'SIGKILL');
    await eventually('its end', () => !childrenOf(process.pid).includes(waiting));
    expect((await one.start(await specOf('sleep'))).kind).toBe('started');
  });

  it('F16: a start past its deadline leaves no process and no name behind', async () => {
    const unanswered = await harness.unanswered();
    await expect(unanswered.runtime.start(unanswered.spec)).rejects.toThrow(/longer than 500 ms/);
    await eventually('a free name', async () => (await runtime.inspect(unanswered.spec.name)) === undefined);
    expect((await runtime.start(unanswered.spec)).kind).toBe('started');
  });

  it('refuses to harvest what still runs', async () => {
    const { container } = await launch('sleep', 'ready');
    await expect(runtime.harvest(container)).rejects.toMatchObject({ code: 'refused' });
    expect((await runtime.inspect(container.name))?.state).toBe('running');
  });

  it('removes what a daemon left that was killed while it took a name, and nothing of one that lives', async () => {
    const gone = 2 ** 22 + 1;
    const folder = join(harness.dataDir, 'run');
    const names = [gone, process.ppid].map((pid) => `.np-some-name.${String(pid)}.0123456789ab`);
    mkdirSync(folder);
    for (const name of names) writeFileSync(join(folder, name), '{');
    await runtime.prepare();
    expect(readdirSync(folder)).toEqual(names.slice(1));
  });

  it('says what is missing when it is prepared', async () => {
    await expect(harness.open({ runnerEntry: '/no/runner.js' }).prepare()).rejects.toThrow('/no/runner.js');
    await expect(runtime.prepare()).resolves.toBeUndefined();
  });
});

function childrenOf(parent: number): readonly number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return /\) \S (\d+)/.exec(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))?.[1] === String(parent);
    } catch {
      return false;
    }
  });
}

function isShim(pid: number): boolean {
  return isAlive(pid) && readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes('process/shim.js');
}

function isAlive(pid: number): boolean {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))?.[1];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Runs a shim by hand and answers what it says on its descriptor 3. */
function runShim(order: object): Promise<unknown> {
  const shim = spawn(process.execPath, [built('src/runtime/process/shim.js')], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    env: {},
  });
  shim.stdin?.end(JSON.stringify(order));
  let text = '';
  shim.stdio[3]?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return new Promise((resolve) =>
    shim.once('close', () => {
      resolve(JSON.parse(text));
    }),
  );
}
