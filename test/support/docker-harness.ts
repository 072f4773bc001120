import { createHash } from 'node:crypto';
import type { InstallId } from '../../src/ports/runtime.js';
import type { DockerRuntime } from '../../src/runtime/docker/docker-runtime.js';
import type { Install, Program, RuntimeHarness } from '../suites/runtime-conformance.js';
import type { TestEngine } from './docker-engine.js';
import { EngineBench } from './docker-engine.js';
import type { StandIn } from './engine-proxy.js';
import { startHungEngine } from './engine-proxy.js';

const SCRIPTS: Readonly<Record<Program, string>> = {
  sleep: `trap 'exit 0' TERM; echo ready; sleep 100000 & wait`,
  'ignore-term': `trap '' TERM; echo ready; while :; do sleep 1; done`,
  'exit-0': 'exit 0',
  'exit-7': 'exit 7',
  crash: 'kill -9 $$',
  print: 'echo to stdout; echo to stderr >&2',
  'print-binary': `printf 'before\\377after\\n'`,
  'big-output': `yes 'one of many lines of output' | head -n 60000; echo the last line`,
  environment: 'env; echo end of environment',
};

/** The docker runtime on an engine, for test/suites/runtime-conformance.ts. */
export function dockerHarness(engine: TestEngine): Promise<RuntimeHarness> {
  const bench = new EngineBench(engine);
  const standIns: StandIn[] = [];

  const install = (id: InstallId, runtime: DockerRuntime): Install => ({
    runtime,
    specFor: ({ session, epoch, program }) => {
      const name = `np-${id.slice(-8)}-${createHash('sha256').update(session).digest('hex').slice(0, 16)}`;
      return bench.spec(runtime, id, ['sh', '-c', SCRIPTS[program]], { name, session, epoch });
    },
  });
  const id = bench.newInstall();
  const mine = install(id, bench.runtime(id));
  const foreignId = bench.newInstall();
  return Promise.resolve({
    ...mine,
    foreign: install(foreignId, bench.runtime(foreignId)),
    reopened: () => Promise.resolve(bench.runtime(id)),
    refusals: async () => {
      const runtime = bench.runtime(id);
      const spec = await bench.spec(runtime, id, ['no-such-program', 'x']);
      return [
        { what: 'a program that is not in the image', runtime, spec, names: 'no-such-program' },
        {
          what: 'an image that is not there',
          runtime,
          spec: { ...spec, image: 'no-such-image:1' },
          names: 'no-such-image:1',
        },
        {
          what: 'a limit that the engine does not take',
          runtime,
          // Podman refuses it when it starts the container, so its program must be there.
          spec: { ...spec, command: ['sh'], limits: { ...spec.limits, memoryBytes: 1024 } },
          names: 'memory',
        },
        {
          what: 'a network that is not there',
          runtime,
          spec: { ...spec, command: ['sh'], network: 'no-such-network' },
          names: 'no-such-network',
        },
        {
          what: 'a folder that is not there',
          runtime,
          spec: { ...spec, inDir: '/no/such/folder' },
          names: '/no/such/folder',
        },
      ];
    },
    unanswered: async () => {
      const hung = await startHungEngine();
      standIns.push(hung);
      const runtime = bench.runtime(id, { address: hung.address, deadlineMs: 500 });
      const spec = await mine.specFor({ session: 'suite/hung' as never, epoch: 1 as never, program: 'sleep' });
      return { runtime, spec, calls: ['start', 'list', 'inspect', 'ping'] };
    },
    cleanup: async () => {
      await bench.reap();
      for (const standIn of standIns) await standIn.close();
    },
  });
}
