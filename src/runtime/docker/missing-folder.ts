import { stat } from 'node:fs/promises';
import type { ContainerSpec } from '../../ports/runtime.js';

/**
 * The first folder of a spec that is not there. Docker refuses such a spec; Podman would make the folder, as root. The
 * daemon sees its data dir under the spec's own paths, whatever the engine calls them.
 */
export async function findMissingFolder({ inDir, outDir }: ContainerSpec): Promise<string | undefined> {
  for (const folder of [inDir, outDir]) {
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() !== true) return folder;
  }
  return undefined;
}
