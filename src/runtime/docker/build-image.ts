import { NightporterError } from '../../protocol/errors.js';
import { thisMachine } from '../choose-runtime.js';
import { findEngineAddress } from './engine-address.js';
import { Engine } from './engine.js';
import { DEFAULT_BASE_IMAGE, buildRunnerImage, chooseBaseImage, runnerContext } from './image.js';

/** For the engine's answers while it builds: a step of its own may be long. */
const DEADLINE_MS = 60_000;

/** `scripts/build-image`: the tag on stdout, the builder's words on stderr. Returns the exit code. */
export async function runBuildImage(root: string, baseImage: string = DEFAULT_BASE_IMAGE): Promise<number> {
  const around = thisMachine();
  let engine: Engine | undefined;
  try {
    const address = findEngineAddress(around);
    if (address === undefined) {
      throw new NightporterError('unavailable', 'no container engine is installed: install Docker or Podman');
    }
    engine = new Engine(address, around.env, DEADLINE_MS);
    const context = await runnerContext(root);
    if (!(await engine.hasImage(context.tag))) {
      await buildRunnerImage(engine, context, await chooseBaseImage(engine, baseImage), (line) =>
        process.stderr.write(line),
      );
    }
    process.stdout.write(`${context.tag}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof NightporterError)) throw error;
    process.stderr.write(`build-image: ${error.message}\n`);
    return error.code === 'unavailable' ? 4 : 1;
  } finally {
    engine?.close();
  }
}
