import type { TestEngine } from './docker-engine.js';
import { EngineBench } from './docker-engine.js';
import { nanoclawImage } from './foreign-images.js';
import { NANOCLAW_RUNNER } from './runners.js';

/**
 * Settings of a group whose sessions are run by the stand-in for runners of NanoClaw v2 (see nanoclaw-runner.mjs), for
 * `open({ groups: { foreign: await nanoclawGroup(engine) } })`. Its agent is the session's `command`; exit code 0 completes,
 * 75 fails with the class `retryable`, any other fails without a class.
 */
export async function nanoclawGroup(engine: TestEngine | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (engine === undefined) return { ENTRYPOINT: [process.execPath, NANOCLAW_RUNNER] };
  const bench = new EngineBench(engine);
  try {
    // Its image is made on top of our runner's.
    await bench.runtime(bench.newInstall()).prepare();
    return { IMAGE: await nanoclawImage(engine.docker) };
  } finally {
    await bench.reap();
  }
}
