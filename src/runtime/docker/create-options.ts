import type { ContainerSpec } from '../../ports/runtime.js';
import { CONTAINER_IN, CONTAINER_WORKSPACE } from '../../protocol/workspace.js';
import { LABELS } from '../spec-labels.js';
import type { ContainerCreateOptions, EngineInfo } from './engine.js';

/** Owner of a session's `out/` where a root daemon uses a root engine; nobody on the host, whoever else runs there. */
export const CONTAINER_UID = 10_001;
export const CONTAINER_GID = 10_001;

/** Two files of 4 MiB: more than the 64 KiB that are harvested, little enough for thousands of containers. */
const LOG_LIMITS = { 'max-size': '4m', 'max-file': '2' };
/** Its pages count against the container's memory limit. */
const TMP_OPTIONS = 'rw,exec,nosuid,nodev,mode=1777,size=268435456';
/** For a `docker stop` by hand; the daemon's own stops say their grace. */
const STOP_TIMEOUT_S = 10;
const OPEN_FILES = 16_384;
/** Counted over all containers of the uid, so it is no limit of one container: PidsLimit is. */
const PROCESSES_OF_UID = 65_536;
/** A rootless engine may not raise it over what its own user has. */
const PROCESSES_OF_ROOTLESS = 4_096;
/** Podman gives itself the kernel's `pid_max` (32768 at least), and may not be allowed to raise it for a container. */
const PROCESSES_OF_PODMAN = 32_768;

/** What the engine told of itself, as far as it decides how containers are made. */
export interface EngineFacts {
  /** Podman behind Docker's API. */
  readonly podman: boolean;
  /** 0: unknown. */
  readonly cpus: number;
  readonly rootless: boolean;
  /** The engine maps the uids of all containers (userns-remap): session files would not be theirs. */
  readonly remapsUsers: boolean;
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** `name=rootless`, `name=userns`, `name=seccomp,profile=default`, ... as `info` gives them. */
export function factsFrom(info: EngineInfo): EngineFacts {
  const { podman, cpus } = info;
  const names = new Set(info.security.flatMap((option) => option.split(',')));
  return { podman, cpus, rootless: names.has('name=rootless'), remapsUsers: names.has('name=userns') };
}

/**
 * As whom containers run. A root daemon: an unprivileged user that owns nothing but `out/`; else the daemon's own user,
 * who is uid 0 inside a rootless engine's containers.
 */
export function containerUser(facts: EngineFacts, daemon: Identity | undefined): Identity {
  if (facts.rootless) return { uid: 0, gid: 0 };
  if (daemon === undefined || daemon.uid === 0) return { uid: CONTAINER_UID, gid: CONTAINER_GID };
  return daemon;
}

/** For a daemon in a container: the engine knows `from` under the path `to`. */
export interface DataPathMapping {
  readonly from: string;
  readonly to: string;
}

export function enginePath(path: string, mapping: DataPathMapping | undefined): string {
  if (mapping === undefined) return path;
  const from = mapping.from.replace(/\/+$/, '');
  const to = mapping.to.replace(/\/+$/, '');
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
}

export interface CreateContext {
  readonly image: string;
  readonly facts: EngineFacts;
  readonly daemon: Identity | undefined;
  readonly dataPathMapping: DataPathMapping | undefined;
}

/** The container of a spec, hardened (F29); its environment is the spec's and HOME, nothing of the daemon's (F40). */
export function createOptions(spec: ContainerSpec, context: CreateContext): ContainerCreateOptions {
  const { facts, dataPathMapping } = context;
  const user = containerUser(facts, context.daemon);
  const environment = { HOME: CONTAINER_WORKSPACE, ...spec.environment };
  return {
    name: spec.name,
    Image: context.image,
    // The spec's command is the whole program: an image's entry point does not get it as arguments.
    ...(spec.command === undefined ? {} : { Entrypoint: [...spec.command], Cmd: [] }),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    User: `${user.uid}:${user.gid}`,
    WorkingDir: CONTAINER_WORKSPACE,
    Labels: {
      [LABELS.install]: spec.install,
      [LABELS.session]: spec.session,
      [LABELS.epoch]: String(spec.epoch),
      [LABELS.spec]: spec.specHash,
    },
    StopSignal: 'SIGTERM',
    StopTimeout: STOP_TIMEOUT_S,
    HostConfig: {
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
      Init: true,
      LogConfig: { Type: 'json-file', Config: LOG_LIMITS },
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': TMP_OPTIONS },
      Memory: spec.limits.memoryBytes,
      MemorySwap: spec.limits.memoryBytes,
      NanoCpus: nanoCpus(spec.limits.cpus, facts.cpus),
      PidsLimit: spec.limits.pids,
      Ulimits: ulimits(facts),
      NetworkMode: spec.network,
      IpcMode: 'private',
      ...(facts.remapsUsers ? { UsernsMode: 'host' } : {}),
      Mounts: [
        {
          Type: 'bind',
          Source: enginePath(spec.inDir, dataPathMapping),
          Target: CONTAINER_IN,
          ReadOnly: true,
        },
        {
          Type: 'bind',
          Source: enginePath(spec.outDir, dataPathMapping),
          Target: CONTAINER_WORKSPACE,
          ReadOnly: false,
        },
      ],
    },
  };
}

/** An engine refuses more cpus than it has; a default of 2 must not fail on a machine with one. */
function nanoCpus(wanted: number, available: number): number {
  const cpus = available > 0 ? Math.min(wanted, available) : wanted;
  return Math.round(cpus * 1e9);
}

/** Explicit, because Podman gives containers the host's maximum where nothing is said. */
function ulimits(facts: EngineFacts): { Name: string; Soft: number; Hard: number }[] {
  const rootful = facts.podman ? PROCESSES_OF_PODMAN : PROCESSES_OF_UID;
  const processes = facts.rootless ? PROCESSES_OF_ROOTLESS : rootful;
  return [
    { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
    { Name: 'nproc', Soft: processes, Hard: processes },
  ];
}
