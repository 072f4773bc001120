import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { NightporterError } from '../../protocol/errors.js';
import type { TarFile } from './tar.js';

/** Where the runner's own manifest is, and where its compiled files are in the image. */
const RUNNER = 'container/agent-runner';
const RUNNER_IN_IMAGE = `dist/${RUNNER}`;
/** Code and what it reads; no types, maps, sources or docs. */
const KEPT = /(\.(c?js|mjs|json|node|wasm)|^(LICENSE|LICENCE|NOTICE)[^/]*)$/i;
const LEFT_OUT = /(^|\/)(node_modules|src|test|tests|docs|deps|examples|obj\.target)\/|(^|\/)test_extension\.node$/;
/** Packages that are only for their installation. */
const INSTALLERS = ['prebuild-install'];

/** Of a package.json, as far as it matters here. */
interface Manifest {
  readonly version: string;
  readonly dependencies: readonly string[];
}

/** A package as it is installed on this machine. */
interface Installed extends Manifest {
  readonly name: string;
  readonly folder: string;
  /** Its place in the image: packages of several versions lie within those that want them. */
  readonly place: string;
}

/** All that the runner's dependencies come to, as installed below `root` or above it. Rejects with `failed` if one is missing. */
export class RunnerPackages {
  /** Versions of what the runner itself asks for. */
  readonly direct: Readonly<Record<string, string>>;
  readonly #all: readonly Installed[];

  private constructor(direct: Readonly<Record<string, string>>, all: readonly Installed[]) {
    this.direct = direct;
    this.#all = all;
  }

  static async find(root: string): Promise<RunnerPackages> {
    const own = await readManifest(join(root, RUNNER));
    const found = new Map<string, Installed>();
    const direct: Record<string, string> = {};
    for (const name of own.dependencies) {
      direct[name] = (await collect(root, join(root, RUNNER), name, found)).version;
    }
    return new RunnerPackages(direct, [...found.values()]);
  }

  /** Tells one installation from another without reading it all: a version is what a registry says that it is. */
  async fingerprint(): Promise<string> {
    const lines = this.#all.map(({ place, version }) => `${place} ${version}`).sort();
    // Compiled here or taken from a release: the version does not tell.
    const addons = await Promise.all(this.#all.map(({ folder }) => readAddon(folder)));
    const digests = addons.map((content) => createHash('sha256').update(content).digest('hex'));
    return [...lines, ...digests].join('\n');
  }

  async files(): Promise<readonly TarFile[]> {
    return (await Promise.all(this.#all.map(filesOf))).flat();
  }
}

const ADDON = 'build/Release/better_sqlite3.node';

async function readAddon(folder: string): Promise<Buffer> {
  return readFile(join(folder, ADDON)).catch(() => Buffer.alloc(0));
}

async function collect(root: string, from: string, name: string, found: Map<string, Installed>): Promise<Installed> {
  const folder = await findPackage(from, name);
  const place = placeOf(root, folder);
  const known = found.get(place);
  if (known !== undefined) return known;
  const one = { name, folder, place, ...(await readManifest(folder)) };
  found.set(place, one);
  for (const dependency of one.dependencies) await collect(root, folder, dependency, found);
  return one;
}

/** As Node does: in the nearest folder upwards that has it. */
async function findPackage(from: string, name: string): Promise<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    const isThere = await stat(join(candidate, 'package.json')).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
    if (dirname(folder) === folder) {
      throw new NightporterError('failed', `${name}, which the runner needs, is not installed: run "npm ci" first`);
    }
  }
}

/** Below the image's own folder as below the package's; what lies above it counts as beside it. */
function placeOf(root: string, folder: string): string {
  const path = slashed(relative(root, folder));
  if (path.startsWith(`${RUNNER}/`)) return RUNNER_IN_IMAGE + path.slice(RUNNER.length);
  return path.slice(path.indexOf('node_modules/'));
}

async function readManifest(folder: string): Promise<Manifest> {
  const value: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { version, dependencies, peerDependencies, peerDependenciesMeta } = fields;
  const optional = Object.entries(objectOf(peerDependenciesMeta)).filter(
    ([, meta]) => objectOf(meta)['optional'] === true,
  );
  const notNeeded = new Set([...INSTALLERS, ...optional.map(([name]) => name)]);
  const peers = Object.keys(objectOf(peerDependencies)).filter((name) => !notNeeded.has(name));
  const own = Object.keys(objectOf(dependencies)).filter((name) => !INSTALLERS.includes(name));
  return { version: typeof version === 'string' ? version : '0.0.0', dependencies: [...new Set([...own, ...peers])] };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

async function filesOf({ folder, place }: Installed): Promise<TarFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => slashed(relative(folder, join(entry.parentPath, entry.name))))
    .filter((path) => KEPT.test(path) && !LEFT_OUT.test(path));
  return Promise.all(
    paths.map(async (path) => ({ path: `${place}/${path}`, content: await readFile(join(folder, path)) })),
  );
}

function slashed(path: string): string {
  return path.split(sep).join('/');
}
