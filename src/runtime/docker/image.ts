import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { NightporterError, RuntimeUnavailable } from '../../protocol/errors.js';
import { messageOf } from './engine-errors.js';
import type { Engine } from './engine.js';
import { linesOf } from './event-stream.js';
import { RunnerPackages } from './runner-packages.js';
import type { TarFile } from './tar.js';
import { packTar } from './tar.js';

export const DEFAULT_BASE_IMAGE = 'node:20-bookworm-slim';
/** What `scripts/engine up` makes on machines that reach no registry. */
export const LOCAL_BASE_IMAGE = 'nightporter-base:local';
const REPOSITORY = 'nightporter-runner';
/** A build may pull a base image and compile an addon. */
const BUILD_DEADLINE_MS = 15 * 60_000;

/** Everything an image is built from; `tag` names exactly this. */
export interface RunnerContext {
  readonly tag: string;
  readonly files: readonly TarFile[];
}

/** The tag of the image that this package's files make: the base image does not count. */
export async function runnerImageTag(root: string): Promise<string> {
  const packages = await RunnerPackages.find(root);
  return tagOf(await ownFiles(root, packages), await packages.fingerprint());
}

/**
 * Collects what goes into the image. `root`: the package's folder, with `dist/`, `container/Dockerfile` and the runner's
 * package.json. Rejects with `failed` when it was not built, or its dependencies are not installed.
 */
export async function runnerContext(root: string): Promise<RunnerContext> {
  const packages = await RunnerPackages.find(root);
  const own = await ownFiles(root, packages);
  const files = [...own, ...(await packages.files())].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { tag: tagOf(own, await packages.fingerprint()), files };
}

async function ownFiles(root: string, packages: RunnerPackages): Promise<readonly TarFile[]> {
  const manifest = { private: true, type: 'module', dependencies: packages.direct };
  return [
    { path: 'Dockerfile', content: await readFile(join(root, 'container/Dockerfile')) },
    { path: 'package.json', content: Buffer.from(`${JSON.stringify(manifest)}\n`) },
    ...(await compiled(root, 'dist/container/agent-runner/src')),
    ...(await compiled(root, 'dist/src/protocol')),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * The base to build on: `wanted`, but the locally made one where the default is not on the engine and that one is.
 */
export async function chooseBaseImage(engine: Engine, wanted: string): Promise<string> {
  if (wanted !== DEFAULT_BASE_IMAGE || (await engine.hasImage(wanted))) return wanted;
  return (await engine.hasImage(LOCAL_BASE_IMAGE)) ? LOCAL_BASE_IMAGE : wanted;
}

/**
 * Builds and tags the image through the engine's API. Rejects with `refused` when the build fails (no base image, no
 * network for a fallback, ...), with RuntimeUnavailable when the engine does. `onOutput` is given the builder's lines.
 */
export async function buildRunnerImage(
  engine: Engine,
  context: RunnerContext,
  baseImage: string,
  onOutput: (line: string) => void = () => undefined,
): Promise<void> {
  const { stream, close } = await engine.build(packTar(context.files), context.tag, { BASE: baseImage });
  let late = false as boolean; // set by the timer
  const timer = setTimeout(() => {
    late = true;
    close();
  }, BUILD_DEADLINE_MS);
  try {
    for await (const line of linesOf(stream)) {
      const { output, error } = progressOf(line);
      if (error !== undefined) throw buildFailed(context.tag, baseImage, error);
      if (output !== undefined) onOutput(output);
    }
  } catch (error) {
    if (error instanceof NightporterError) throw error;
    throw broken(context.tag, messageOf(error), error);
  } finally {
    clearTimeout(timer);
    close();
  }
  if (late) throw broken(context.tag, `not done within ${BUILD_DEADLINE_MS} ms`, undefined);
  if (!(await engine.hasImage(context.tag)))
    throw broken(context.tag, 'the engine ended the build without an image', undefined);
}

function buildFailed(tag: string, baseImage: string, error: string): NightporterError {
  const pull =
    /pull access denied|manifest (for|unknown)|not found|no such image|dial tcp|lookup .* on|i\/o timeout|connection refused|unauthorized|toomanyrequests|registry/i;
  const advice = pull.test(error)
    ? `the base image ${baseImage} is not on the engine and cannot be pulled: load it, or build with another one (setting RUNNER_BASE_IMAGE, or scripts/build-image --base IMAGE)`
    : 'build it by hand to see more (scripts/build-image)';
  return new NightporterError('refused', `cannot build the runner image ${tag}: ${error.trim()}; ${advice}`);
}

function broken(tag: string, why: string, cause: unknown): RuntimeUnavailable {
  return new RuntimeUnavailable(`building the runner image ${tag} broke off: ${why}`, { cause });
}

function progressOf(line: string): { readonly output?: string; readonly error?: string } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return {};
    if ('error' in value && typeof value.error === 'string') return { error: value.error };
    if ('stream' in value && typeof value.stream === 'string') return { output: value.stream };
  } catch {
    return { output: line };
  }
  return {};
}

async function compiled(root: string, folder: string): Promise<TarFile[]> {
  const files = await filesBelow(join(root, folder), (name) => name.endsWith('.js'));
  if (files.length === 0) {
    throw new NightporterError('failed', `${join(root, folder)} is empty: run "npm run build" first`);
  }
  return readAll(files, root, '');
}

async function filesBelow(folder: string, keep: (path: string) => boolean): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => keep(slashed(relative(folder, path))));
}

function readAll(paths: readonly string[], base: string, prefix: string): Promise<TarFile[]> {
  return Promise.all(
    paths.map(async (path) => ({ path: prefix + slashed(relative(base, path)), content: await readFile(path) })),
  );
}

function slashed(path: string): string {
  return path.split(sep).join('/');
}

function tagOf(files: readonly TarFile[], packages: string): string {
  const hash = createHash('sha256').update(packages);
  for (const { path, content } of files) hash.update(`\0${path}\0${content.length}\0`).update(content);
  return `${REPOSITORY}:${hash.digest('hex').slice(0, 16)}`;
}
