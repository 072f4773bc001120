import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { describe } from 'vitest';
import { createLog } from '../../src/observe/logs.js';
import type { Container, ContainerSpec, InstallId } from '../../src/ports/runtime.js';
import type { Epoch, SessionAddress } from '../../src/protocol/address.js';
import { thisMachine } from '../../src/runtime/choose-runtime.js';
import { DockerRuntime } from '../../src/runtime/docker/docker-runtime.js';
import type { DockerRuntimeOptions } from '../../src/runtime/docker/docker-runtime.js';
import type { EngineAddress } from '../../src/runtime/docker/engine-address.js';
import { findEngineAddress } from '../../src/runtime/docker/engine-address.js';
import { LABELS } from '../../src/runtime/spec-labels.js';

export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Made by scripts/engine: node, busybox and nothing else. */
export const BASE_IMAGE = 'nightporter-base:local';

const ANSWER_WITHIN_MS = 10_000;

/** A local engine that answers and has the base image. */
export interface TestEngine {
  readonly address: EngineAddress;
  readonly socketPath: string;
  /** Bare dockerode, to look at things from outside and as the floor of measurements. */
  readonly docker: Docker;
}

/**
 * Tests that take an engine. Where none answers they are skipped by name on a user's machine; with CI or
 * NIGHTPORTER_REQUIRE_ENGINE set they fail.
 */
export async function describeWithEngine(name: string, tests: (engine: TestEngine) => void): Promise<void> {
  const hint = 'run scripts/engine up';
  const address = findEngineAddress(thisMachine());
  describeWith(name, await findTestEngine(address, hint), tests);
}

/** The same on the Podman that `scripts/podman up` starts, whichever engine the other tests take. */
export async function describeWithPodman(name: string, tests: (engine: TestEngine) => void): Promise<void> {
  const variable = 'NIGHTPORTER_PODMAN_HOST';
  const url = process.env[variable] ?? '';
  const hint = `run eval "$(scripts/podman up)"`;
  const found =
    url === '' ? `no Podman: ${variable} is not set; ${hint}` : await findTestEngine({ url, source: variable }, hint);
  describeWith(name, found, tests);
}

function describeWith(name: string, found: TestEngine | string, tests: (engine: TestEngine) => void): void {
  if (typeof found !== 'string') {
    describe(name, () => {
      tests(found);
    });
    return;
  }
  const required = ['CI', 'NIGHTPORTER_REQUIRE_ENGINE'].some((variable) => (process.env[variable] ?? '') !== '');
  if (required) throw new Error(`${name}: ${found}`);
  describe.skip(`${name} (skipped: ${found})`, () => {
    tests(NO_ENGINE);
  });
}

async function findTestEngine(address: EngineAddress | undefined, hint: string): Promise<TestEngine | string> {
  if (address?.url.startsWith('unix://') !== true) return `no local container engine; ${hint}`;
  const socketPath = address.url.slice('unix://'.length);
  const docker = new Docker({ socketPath, host: undefined, port: undefined, timeout: ANSWER_WITHIN_MS });
  try {
    await docker.ping();
  } catch {
    return `no engine answers at ${address.url}; ${hint}`;
  }
  try {
    await docker.getImage(BASE_IMAGE).inspect();
  } catch {
    return `the engine has no image ${BASE_IMAGE}; ${hint}`;
  }
  return { address, socketPath, docker };
}

/** Never used: skipped tests do not run. */
const NO_ENGINE: TestEngine = { address: { url: 'unix:///', source: '' }, socketPath: '/', docker: new Docker() };

/** What one test file makes on the engine and on disk; `reap` removes all of it, whatever failed. */
export class EngineBench {
  readonly engine: TestEngine;
  readonly #installs: InstallId[] = [];
  readonly #runtimes: DockerRuntime[] = [];
  readonly #folders: string[] = [];
  readonly #names: string[] = [];

  constructor(engine: TestEngine) {
    this.engine = engine;
  }

  newInstall(): InstallId {
    const install = `test-${randomBytes(8).toString('hex')}` as InstallId;
    this.#installs.push(install);
    return install;
  }

  runtime(install: InstallId, options: Partial<DockerRuntimeOptions> = {}): DockerRuntime {
    const runtime = new DockerRuntime({
      address: this.engine.address,
      install,
      root: PACKAGE_ROOT,
      baseImage: BASE_IMAGE,
      deadlineMs: 20_000,
      log: createLog('silent'),
      ...options,
    });
    this.#runtimes.push(runtime);
    return runtime;
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'np-docker-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A spec of the base image with folders of its own, its `out/` given to the container's user. */
  async spec(
    runtime: DockerRuntime,
    install: InstallId,
    command: readonly string[],
    changes: Partial<ContainerSpec> = {},
  ): Promise<ContainerSpec> {
    const folder = await this.folder();
    const [inDir, outDir, hostDir] = [join(folder, 'in'), join(folder, 'out'), join(folder, 'host')];
    for (const one of [inDir, outDir, hostDir]) await mkdir(one);
    const owner = await runtime.filesOwner();
    if (owner !== undefined) await chown(outDir, owner.uid, owner.gid);
    return {
      name: `np-test-${randomBytes(8).toString('hex')}`,
      install,
      session: 'test/one' as SessionAddress,
      epoch: 1 as Epoch,
      specHash: 'spec-1',
      image: BASE_IMAGE,
      command,
      environment: {},
      inDir,
      outDir,
      hostDir,
      limits: { memoryBytes: 128 * 1024 * 1024, cpus: 1, pids: 100 },
      network: 'none',
      ...changes,
    };
  }

  /** For containers that tests make without our labels. */
  reapByName(name: string): void {
    this.#names.push(name);
  }

  async reap(): Promise<void> {
    const { docker } = this.engine;
    for (const install of this.#installs) {
      const left = await docker.listContainers({ all: true, filters: { label: [`${LABELS.install}=${install}`] } });
      for (const one of left) await docker.getContainer(one.Id).remove({ force: true, v: true }).catch(ignoreMissing);
    }
    for (const name of this.#names) await docker.getContainer(name).remove({ force: true }).catch(ignoreMissing);
    for (const runtime of this.#runtimes) await runtime.close();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}

export async function startOrThrow(runtime: DockerRuntime, spec: ContainerSpec): Promise<Container> {
  const result = await runtime.start(spec);
  if (result.kind !== 'started') throw new Error(`not started: ${JSON.stringify(result)}`);
  return result.container;
}

function ignoreMissing(error: unknown): void {
  // Gone already, or on its way out by a removal of the runtime's own.
  const status = (error as { statusCode?: number }).statusCode;
  if (status !== 404 && status !== 409) throw error;
}
