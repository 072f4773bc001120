import { randomBytes } from 'node:crypto';
import type { ContainerSpec } from '../../src/ports/runtime.js';
import type { Epoch, SessionAddress } from '../../src/protocol/address.js';
import { CONTAINER_IN, CONTAINER_WORKSPACE, INBOUND_FILE, RUNNER_ENV } from '../../src/protocol/workspace.js';
import type { DockerRuntime } from '../../src/runtime/docker/docker-runtime.js';
import { startOrThrow } from './docker-engine.js';
import type { EngineBench } from './docker-engine.js';
import type { RunnerEnd, RunnerHandle, RunnerUnderTest } from './runner-bench.js';

const POLL_MS = 50;
const OUTPUT_MAX_BYTES = 64 * 1024;

export interface ContainerRunners {
  /** `image`: asked once, when the first one is started; undefined: the install's runner image. */
  readonly runner: (
    name: string,
    knows: RunnerUnderTest['knows'],
    image: () => Promise<string | undefined>,
  ) => RunnerUnderTest;
}

/** Runners in containers as the docker runtime makes them: its user, its mounts, its limits. */
export function containerRunners(bench: EngineBench): ContainerRunners {
  const install = bench.newInstall();
  const runtime = bench.runtime(install);
  return {
    runner: (name, knows, findImage) => {
      let image: Promise<string | undefined> | undefined;
      return {
        name,
        runtime: 'docker',
        knows,
        outOwner: () => runtime.filesOwner(),
        launch: async (paths, env) => {
          const spec: ContainerSpec = {
            name: `np-test-${randomBytes(8).toString('hex')}`,
            install,
            session: env[RUNNER_ENV.session] as SessionAddress,
            epoch: Number(env[RUNNER_ENV.epoch]) as Epoch,
            specHash: 'suite',
            image: await (image ??= findImage()),
            command: undefined,
            environment: {
              ...env,
              [RUNNER_ENV.workspace]: CONTAINER_WORKSPACE,
              [RUNNER_ENV.inbound]: `${CONTAINER_IN}/${INBOUND_FILE}`,
            },
            inDir: paths.in,
            outDir: paths.out,
            hostDir: paths.host,
            limits: { memoryBytes: 256 * 1024 * 1024, cpus: 1, pids: 100 },
            network: 'none',
          };
          return handleOf(bench, runtime, spec);
        },
      };
    },
  };
}

async function handleOf(bench: EngineBench, runtime: DockerRuntime, spec: ContainerSpec): Promise<RunnerHandle> {
  const { id } = await startOrThrow(runtime, spec);
  const container = bench.engine.docker.getContainer(id);
  const waitForEnd = async (): Promise<RunnerEnd> => {
    for (;;) {
      const { State: state } = await container.inspect();
      if (!state.Running) return { code: state.ExitCode, signal: null };
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  return {
    exited: waitForEnd(),
    signal: async (signal) => {
      try {
        await container.kill({ signal });
      } catch (error) {
        // It does not run any more.
        if ((error as { readonly statusCode?: number }).statusCode !== 409) throw error;
      }
    },
    output: () => runtime.logs(id, OUTPUT_MAX_BYTES),
  };
}
