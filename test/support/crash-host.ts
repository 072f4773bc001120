import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Runtime } from '../../src/ports/runtime.js';
import { CrashBench } from './crash-bench.js';
import type { World } from './crash-bench.js';
import { armCrashPoints, RUN_FILES } from './crash-points.js';
import { SCENARIOS } from './crash-scenarios.js';
import type { Ports } from './porter.js';

// A host of its own process that does what a scenario says, and is killed at one of its writes. The engine, the runners'
// story and the time outlive it: they are put down in a file whenever they may have changed.

const [, , folder = '', scenarioName = '', at = '0', childEntry] = process.argv;
const scenario = SCENARIOS.find(({ name }) => name === scenarioName);
if (scenario === undefined) throw new Error(`no scenario ${scenarioName}`);
const worldFile = join(folder, RUN_FILES.world);
const world = JSON.parse(readFileSync(worldFile, 'utf8')) as World;

function putDown(): void {
  const { p, runners } = stage;
  const now: World = { engine: p.runtime.snapshot(), story: runners.story, nowMs: p.clock.now() };
  writeFileSync(worldFile, JSON.stringify(now));
}

writeFileSync(join(folder, RUN_FILES.host), String(process.pid));
const bench = CrashBench.at(scenario, folder);
const stage = bench.openIn(world, {
  ports: (ports) => ({ ...ports, runtime: withPoints(ports) }),
  ...(childEntry === undefined ? {} : { files: { childEntry } }),
});
const hit = armCrashPoints({ folder, at: Number(at), before: putDown });
await scenario.act(stage);
await stage.p.rounds.stop();
await stage.p.files.close();
stage.p.abandon();

/** Every call that may change the engine is a point of its own, before and after. */
function withPoints({ runtime }: Ports): Runtime {
  const changing: readonly (keyof Runtime)[] = ['start', 'stop', 'harvest', 'remove'];
  return new Proxy(runtime, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: readonly unknown[]) => {
        const call = (): unknown => Reflect.apply(member, target, args);
        if (!changing.some((method) => method === name)) return call();
        return withPoint(String(name), call as () => Promise<unknown>);
      };
    },
  });
}

async function withPoint(name: string, call: () => Promise<unknown>): Promise<unknown> {
  hit(`before ${name}`);
  const answer = await call();
  hit(`after ${name}`);
  return answer;
}
