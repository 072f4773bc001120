import { posix } from 'node:path';
import { CONTAINER_WORKSPACE } from '../../protocol/workspace.js';
import type { ContainerInspectInfo, Engine } from './engine.js';

/** What engines give a container whose image and spec name no PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Whether a created container's program is there: under an init the engine itself does not notice, and starts a container
 * that ends with 127 at once. Returns the program's name when it is missing.
 */
export async function findMissingProgram(engine: Engine, created: ContainerInspectInfo): Promise<string | undefined> {
  const program = programOf(created);
  const candidates = program.includes('/')
    ? [posix.resolve(created.Config.WorkingDir || CONTAINER_WORKSPACE, program)]
    : searchPath(created).map((folder) => posix.join(folder, program));
  for (const path of candidates) if (await engine.hasFile(created.Id, path)) return undefined;
  return program;
}

function searchPath(created: ContainerInspectInfo): readonly string[] {
  const path = created.Config.Env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  return path.split(':').filter((folder) => folder.startsWith('/'));
}

/** Podman's `Path` is its init; what was asked for is in both engines' configuration of the container. */
function programOf(created: ContainerInspectInfo): string {
  // An image without one gives null or an empty list here, whatever the types say.
  const { Entrypoint: entrypoint, Cmd: args } = created.Config as {
    Entrypoint?: string | readonly string[] | null;
    Cmd?: readonly string[] | null;
  };
  const [program = created.Path] = [entrypoint ?? [], args ?? []].flat();
  return program;
}
