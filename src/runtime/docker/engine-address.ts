import { createHash } from 'node:crypto';
import type { DockerOptions } from 'dockerode';
import { NightporterError } from '../../protocol/errors.js';

/** Where an engine listens, and how that was found out. */
export interface EngineAddress {
  /** `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host`. */
  readonly url: string;
  readonly source: string;
}

/** What of this machine decides which engine is meant. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  /** -1 where there are no uids. */
  readonly uid: number;
  readonly exists: (path: string) => boolean;
  /** Undefined when the file cannot be read. */
  readonly readText: (path: string) => string | undefined;
  /** Whether a program is on the PATH. */
  readonly which: (program: string) => boolean;
}

export const DEFAULT_SOCKET = '/var/run/docker.sock';

/**
 * The engine of this machine: DOCKER_HOST, a docker context, a known socket, or where an installed engine would listen
 * once it is started. Undefined where no engine is installed; the docker client alone is none.
 */
export function findEngineAddress(around: Surroundings): EngineAddress | undefined {
  const { env } = around;
  for (const name of ['DOCKER_HOST', 'CONTAINER_HOST']) {
    const host = env[name];
    if (host !== undefined && host !== '') return { url: withScheme(host), source: name };
  }
  const context = findContext(around);
  if (context !== undefined) return context;
  const socket = knownSockets(around).find((path) => around.exists(path));
  if (socket !== undefined) return { url: `unix://${socket}`, source: 'a known socket' };
  if (around.which('dockerd')) return { url: `unix://${DEFAULT_SOCKET}`, source: 'dockerd on the PATH' };
  if (around.which('podman')) return { url: `unix://${podmanSocket(around)}`, source: 'podman on the PATH' };
  return undefined;
}

/** Options for dockerode that name this address and nothing of the environment's DOCKER_HOST. */
export function dockerOptions(address: EngineAddress, env: Surroundings['env']): DockerOptions {
  const nothing: DockerOptions = { socketPath: undefined, host: undefined, port: undefined, timeout: undefined };
  if (address.url.startsWith('unix://')) return { ...nothing, socketPath: address.url.slice('unix://'.length) };
  const url = parseUrl(address);
  if (url.hostname === '') throw badAddress(address);
  switch (url.protocol) {
    case 'tcp:':
    case 'http:':
    case 'https:': {
      const tls = url.protocol === 'https:' || url.port === '2376' || env['DOCKER_TLS_VERIFY'] === '1';
      return {
        ...nothing,
        host: url.hostname,
        port: url.port || (tls ? 2376 : 2375),
        protocol: tls ? 'https' : 'http',
      };
    }
    case 'ssh:': {
      const agent = env['SSH_AUTH_SOCK'];
      return {
        ...nothing,
        host: url.hostname,
        port: url.port || 22,
        protocol: 'ssh',
        username: decodeURIComponent(url.username),
        ...(agent === undefined ? {} : { sshOptions: { agent } }),
      };
    }
    default:
      throw badAddress(address);
  }
}

function parseUrl(address: EngineAddress): URL {
  try {
    return new URL(address.url);
  } catch {
    throw badAddress(address);
  }
}

function badAddress({ source, url }: EngineAddress): NightporterError {
  const example = `unix://${DEFAULT_SOCKET} or tcp://localhost:2375`;
  return new NightporterError('usage', `${source} names no engine: ${JSON.stringify(url)}; give one like ${example}`);
}

function withScheme(host: string): string {
  return host.includes('://') ? host : `tcp://${host}`;
}

function findContext(around: Surroundings): EngineAddress | undefined {
  const folder = around.env['DOCKER_CONFIG'] ?? `${around.homeDir}/.docker`;
  const name =
    around.env['DOCKER_CONTEXT'] ?? textAt(parseJson(around.readText(`${folder}/config.json`)), ['currentContext']);
  if (name === undefined || name === '' || name === 'default') return undefined;
  const id = createHash('sha256').update(name).digest('hex');
  const meta = parseJson(around.readText(`${folder}/contexts/meta/${id}/meta.json`));
  const host = textAt(meta, ['Endpoints', 'docker', 'Host']);
  return host === undefined || host === ''
    ? undefined
    : { url: host, source: `docker context ${JSON.stringify(name)}` };
}

function knownSockets(around: Surroundings): readonly string[] {
  const { homeDir, uid } = around;
  const run = runtimeDir(around);
  return [
    DEFAULT_SOCKET,
    `${run}/docker.sock`,
    `${homeDir}/.docker/run/docker.sock`,
    `${homeDir}/.docker/desktop/docker.sock`,
    `${homeDir}/.colima/default/docker.sock`,
    `${homeDir}/.colima/docker.sock`,
    `${homeDir}/.orbstack/run/docker.sock`,
    `${homeDir}/.rd/docker.sock`,
    ...(uid === 0 ? ['/run/podman/podman.sock'] : [`${run}/podman/podman.sock`]),
    `${homeDir}/.local/share/containers/podman/machine/podman.sock`,
  ];
}

function podmanSocket(around: Surroundings): string {
  return around.uid === 0 ? '/run/podman/podman.sock' : `${runtimeDir(around)}/podman/podman.sock`;
}

function runtimeDir({ env, uid }: Surroundings): string {
  return env['XDG_RUNTIME_DIR'] ?? `/run/user/${String(uid)}`;
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a broken client configuration names no engine
  }
}

function textAt(value: unknown, path: readonly string[]): string | undefined {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === 'string' ? at : undefined;
}
