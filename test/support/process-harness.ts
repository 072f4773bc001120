import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitAddress } from '../../src/protocol/address.js';
import type { ContainerSpec, InstallId } from '../../src/ports/runtime.js';
import { ProcessRuntime } from '../../src/runtime/process/process-runtime.js';
import type { ProcessRuntimeOptions } from '../../src/runtime/process/process-runtime.js';
import type { Install, ProgramRequest, RuntimeHarness } from '../suites/runtime-conformance.js';
import { built } from './built.js';

export const PROGRAMS = fileURLToPath(new URL('./container-programs.mjs', import.meta.url));

type SpecRequest = Omit<ProgramRequest, 'program'> & { readonly program: string };

/** Process runtimes over one temporary data dir. */
export class ProcessHarness implements RuntimeHarness {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'np-process-'));
  // Processes are told apart by the install alone: tests that run at the same time need ids of their own.
  readonly install = `one-${randomBytes(4).toString('hex')}` as InstallId;
  readonly foreignInstall = this.install.replace('one', 'two') as InstallId;
  readonly #opened: ProcessRuntime[] = [];
  readonly runtime = this.open();
  readonly foreign: Install = {
    runtime: this.open({ install: this.foreignInstall }),
    specFor: (request) => this.specFor(request, this.foreignInstall),
  };

  open(changes: Partial<ProcessRuntimeOptions> = {}): ProcessRuntime {
    const runtime = new ProcessRuntime({
      dataDir: this.dataDir,
      install: this.install,
      shimEntry: built('src/runtime/process/shim.js'),
      runnerEntry: PROGRAMS,
      nodePath: process.execPath,
      deadlineMs: 20_000,
      log: { warn: () => undefined },
      ...changes,
    });
    this.#opened.push(runtime);
    return runtime;
  }

  specFor(request: SpecRequest, install = this.install): Promise<ContainerSpec> {
    const { session, epoch, program } = request;
    const parts = splitAddress(session);
    const folder = join(this.dataDir, 'sessions', parts.group, parts.session);
    const dirs = { inDir: join(folder, 'in'), outDir: join(folder, 'out'), hostDir: join(folder, 'host') };
    for (const dir of Object.values(dirs)) mkdirSync(dir, { recursive: true });
    const hash = createHash('sha256').update(session).digest('hex').slice(0, 16);
    return Promise.resolve({
      name: `np-${install}-${hash}`,
      install,
      session,
      epoch,
      specHash: 'a'.repeat(64),
      image: undefined,
      command: undefined,
      environment: { NP_TEST_PROGRAM: program },
      ...dirs,
      limits: { memoryBytes: 512 * 1024 * 1024, cpus: 1, pids: 64 },
      network: 'none',
    });
  }

  reopened(): Promise<ProcessRuntime> {
    return Promise.resolve(this.open());
  }

  async refusals() {
    const spec = async (name: string) =>
      this.specFor({
        session: `suite/${name}` as ProgramRequest['session'],
        epoch: 1 as ProgramRequest['epoch'],
        program: 'exit-0',
      });
    const withoutWorkspace = await spec('without-workspace');
    rmSync(withoutWorkspace.outDir, { recursive: true });
    // Passes for a program that is there, but cannot be executed.
    const notExecutable = join(this.dataDir, 'not-executable');
    writeFileSync(notExecutable, 'no program', { mode: 0o644 });
    return [
      {
        what: 'a spec with an image',
        runtime: this.runtime,
        spec: { ...(await spec('image')), image: 'some/image:1' },
        names: 'some/image:1',
      },
      {
        what: 'a spec with a command',
        runtime: this.runtime,
        spec: { ...(await spec('command')), command: ['/bin/prog'] },
        names: '/bin/prog',
      },
      {
        what: 'a missing runner',
        runtime: this.open({ runnerEntry: '/no/such/runner.js' }),
        spec: await spec('no-runner'),
        names: '/no/such/runner.js',
      },
      { what: 'a missing workspace', runtime: this.runtime, spec: withoutWorkspace, names: withoutWorkspace.outDir },
      {
        what: 'a bad name',
        runtime: this.runtime,
        spec: { ...(await spec('name')), name: '../outside' },
        names: '../outside',
      },
      {
        what: 'a NUL in the environment',
        runtime: this.runtime,
        spec: { ...(await spec('nul')), environment: { BAD: 'a\0b' } },
        names: 'BAD',
      },
    ];
  }

  async unanswered() {
    const shimEntry = join(this.dataDir, 'hung-shim.mjs');
    writeFileSync(shimEntry, 'setInterval(() => {}, 1000);');
    return {
      runtime: this.open({ shimEntry, deadlineMs: 500 }),
      spec: await this.specFor({
        session: 'suite/hung' as ProgramRequest['session'],
        epoch: 1 as ProgramRequest['epoch'],
        program: 'sleep',
      }),
      calls: ['start'] as const,
    };
  }

  async cleanup(): Promise<void> {
    for (const { runtime } of [this, this.foreign]) {
      for (const container of await runtime.list()) await runtime.remove(container.id);
    }
    for (const runtime of this.#opened) await runtime.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
