import { expect, it } from 'vitest';
import type { Epoch, SessionAddress } from '../../../src/protocol/address.js';
import type { ContainerSpec, InstallId } from '../../../src/ports/runtime.js';
import { RuntimeUnavailable } from '../../../src/protocol/errors.js';
import { FakeRuntime } from '../../support/fake-runtime.js';
import type { FakeProgram } from '../../support/fake-engine.js';
import { describeRuntime } from '../../suites/runtime-conformance.js';
import type { Install, Program, ProgramRequest } from '../../suites/runtime-conformance.js';

const PROGRAMS: Record<Program, (spec: ContainerSpec) => FakeProgram> = {
  sleep: () => ({ output: 'ready\n' }),
  'ignore-term': () => ({ output: 'ready\n', ignoresTerm: true }),
  'exit-0': () => ({ exit: {} }),
  'exit-7': () => ({ exit: { exitCode: 7 } }),
  crash: () => ({ exit: { signal: 'SIGKILL' } }),
  print: () => ({ output: 'to stdout\nto stderr\n', exit: {} }),
  'print-binary': () => ({ output: Buffer.from('before\xffafter\n', 'latin1'), exit: {} }),
  'big-output': () => ({ output: `${'0123456789\n'.repeat(100_000)}the last line\n`, exit: {} }),
  environment: ({ environment }) => {
    const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}\n`);
    return { output: `${lines.join('')}end of environment\n`, exit: {} };
  },
};

function specFor({ session, epoch, program }: ProgramRequest, install: InstallId): ContainerSpec {
  return {
    name: `np-${install}-${session.replace('/', '-')}`,
    install,
    session,
    epoch,
    specHash: 'hash',
    image: undefined,
    command: undefined,
    environment: { PROGRAM: program },
    inDir: '/none/in',
    outDir: '/none/out',
    hostDir: '/none/host',
    limits: { memoryBytes: 1, cpus: 1, pids: 1 },
    network: 'none',
  };
}

function installOf(runtime: FakeRuntime): Install & { readonly runtime: FakeRuntime } {
  return { runtime, specFor: (request) => Promise.resolve(specFor(request, runtime.install)) };
}

describeRuntime('fake', () => {
  const runtime = new FakeRuntime({
    program: (spec) => PROGRAMS[spec.environment['PROGRAM'] as Program](spec),
  });
  const mine = installOf(runtime);
  const request = (name: string): ProgramRequest => ({
    session: `suite/${name}` as SessionAddress,
    epoch: 1 as Epoch,
    program: 'sleep',
  });
  return Promise.resolve({
    ...mine,
    foreign: installOf(runtime.ofInstall('other' as InstallId)),
    reopened: () => Promise.resolve(runtime.reopen()),
    refusals: async () => {
      const spec = await mine.specFor(request('refused'));
      runtime.refuse(spec.session, 'no such image: some/image:1');
      return [{ what: 'a refused session', runtime, spec, names: 'some/image:1' }];
    },
    unanswered: async () => {
      const down = installOf(new FakeRuntime());
      down.runtime.engine('down');
      const spec = await down.specFor(request('down'));
      return { runtime: down.runtime, spec, calls: ['start', 'list', 'inspect', 'ping'] as const };
    },
    cleanup: () => Promise.resolve(),
  });
});

const SESSION = 'controls/one' as SessionAddress;
const SPEC = specFor({ session: SESSION, epoch: 1 as Epoch, program: 'sleep' }, 'fake-install' as InstallId);

it('fake runtime: an exit that the test decides is told, listed and harvested', async () => {
  const fake = new FakeRuntime();
  const events = fake.events(new AbortController().signal)[Symbol.asyncIterator]();
  await fake.start(SPEC);
  fake.exit(SESSION, { exitCode: 3, oomKilled: true, output: 'last words' });

  expect((await events.next()).value).toMatchObject({ kind: 'started' });
  expect((await events.next()).value).toMatchObject({ kind: 'exited', session: SESSION });
  const [container] = fake.containers();
  if (container === undefined) throw new Error('no container');
  expect(container.state).toBe('exited');
  expect(await fake.harvest(container)).toMatchObject({ exitCode: 3, oomKilled: true, output: 'last words' });
});

it('fake runtime: an engine that is down keeps its containers, ends its streams and answers again when up', async () => {
  const fake = new FakeRuntime();
  const events = fake.events(new AbortController().signal)[Symbol.asyncIterator]();
  await fake.start(SPEC);
  await events.next();
  fake.engine('down');
  expect(await events.next()).toMatchObject({ done: true });
  await expect(fake.list()).rejects.toBeInstanceOf(RuntimeUnavailable);
  fake.engine('up');
  expect(await fake.list()).toHaveLength(1);
});

it('fake runtime: an unstoppable container survives stop and remove until it may end', async () => {
  const fake = new FakeRuntime();
  const result = await fake.start(SPEC);
  if (result.kind !== 'started') throw new Error(result.kind);
  fake.unstoppable(SESSION);
  expect(await fake.stop(result.container.id, 10)).toMatchObject({ kind: 'still_running' });
  await expect(fake.remove(result.container.id)).rejects.toBeInstanceOf(RuntimeUnavailable);
  fake.unstoppable(SESSION, false);
  expect(await fake.stop(result.container.id, 10)).toEqual({ kind: 'gone' });
});

it('fake runtime: calls hang until released, fail once, and lists lie', async () => {
  const fake = new FakeRuntime();
  const release = fake.hang('inspect');
  const hung = fake.inspect(SPEC.name);
  expect(await Promise.race([hung.then(() => 'answered'), Promise.resolve('waiting')])).toBe('waiting');
  release();
  expect(await hung).toBeUndefined();

  fake.failNext('start');
  await expect(fake.start(SPEC)).rejects.toBeInstanceOf(RuntimeUnavailable);
  expect((await fake.start(SPEC)).kind).toBe('started');
  fake.lieInList(() => []);
  expect(await fake.list()).toEqual([]);
  expect(fake.containers()).toHaveLength(1);
  expect(fake.started.map((start) => start.spec.session)).toEqual([SESSION]);
  expect(fake.calls.map((one) => one.call)).toEqual(['inspect', 'start', 'start', 'list']);
});
