import { createHash } from 'node:crypto';
import { PROTOCOL_VERSION } from '../protocol/schema.js';
import { RUNNER_ENV } from '../protocol/workspace.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Epoch } from '../protocol/address.js';
import type { SessionRecord } from '../ports/registry.js';
import type { ContainerLimits, ContainerSpec, InstallId } from '../ports/runtime.js';

/** What a session's container is made of, from its group's settings and its own overrides. */
export interface ContainerTemplate {
  readonly provider: string;
  readonly command: readonly string[] | null;
  readonly image: string | null;
  /** Program and arguments in place of the image's entry point, or of the runner; null: those. */
  readonly entrypoint: readonly string[] | null;
  /** Variables let through to the container: complete, nothing else of the daemon's is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables whose values are read at the start, and their files: only the paths count for the spec. */
  readonly secretFiles: Readonly<Record<string, string>>;
  /** How the providers are asked. */
  readonly asking: Asking;
  readonly network: string;
  readonly limits: ContainerLimits;
  readonly heartbeatMs: number;
  readonly maxClaims: number;
  /** After so many turns the runner leaves; null: when it is idle. */
  readonly maxTurns: number | null;
  readonly idleMs: number;
  readonly stopGraceMs: number;
}

export interface Asking {
  readonly fallbackProviders: readonly string[];
  /** By the names of providers; `*`: the session's own. */
  readonly models: Readonly<Record<string, string>>;
  readonly baseUrls: Readonly<Record<string, string>>;
  readonly callDeadlineMs: number;
  readonly historyMaxMessages: number;
  readonly historyMaxBytes: number;
  /** 0: resume ids are never too old. */
  readonly maxSessionAgeMs: number;
}

export interface SessionPlaces {
  /** Host paths. */
  readonly inDir: string;
  readonly outDir: string;
  readonly hostDir: string;
  /** Where the container sees them. */
  readonly inbound: string;
  readonly workspace: string;
}

export interface SpecSource {
  readonly install: InstallId;
  /** Names the runner that is started when a session has no image of its own: part of the spec hash. */
  readonly runnerVersion: string;
  template(record: SessionRecord): ContainerTemplate;
  places(session: SessionAddress): SessionPlaces;
}

/** The engine refuses a second container of this name. */
export function containerName(install: InstallId, session: SessionAddress): string {
  const digest = createHash('sha256').update(session).digest('hex').slice(0, 16);
  return `np-${install.slice(0, 8)}-${digest}`;
}

/** Changes whenever a container started today would differ from one started before. */
export function specHash(source: SpecSource, record: SessionRecord): string {
  const template = source.template(record);
  const { provider, command, image, entrypoint, environment, network, limits, heartbeatMs, maxClaims } = template;
  const runner = [image ?? source.runnerVersion, entrypoint];
  const sorted = Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1));
  const asked = [template.secretFiles, template.asking, template.maxTurns];
  const parts = [runner, provider, command, sorted, network, limits, heartbeatMs, maxClaims, PROTOCOL_VERSION, asked];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

export function containerSpec(source: SpecSource, record: SessionRecord, epoch: Epoch): ContainerSpec {
  const template = source.template(record);
  const places = source.places(record.address);
  return {
    name: containerName(source.install, record.address),
    install: source.install,
    session: record.address,
    epoch,
    specHash: specHash(source, record),
    image: template.image ?? undefined,
    command: template.entrypoint ?? undefined,
    environment: {
      ...template.environment,
      [RUNNER_ENV.workspace]: places.workspace,
      [RUNNER_ENV.inbound]: places.inbound,
      [RUNNER_ENV.session]: record.address,
      [RUNNER_ENV.epoch]: String(epoch),
      [RUNNER_ENV.protocol]: String(PROTOCOL_VERSION),
      [RUNNER_ENV.heartbeatMs]: String(template.heartbeatMs),
      [RUNNER_ENV.maxClaims]: String(template.maxClaims),
      [RUNNER_ENV.provider]: template.provider,
      [RUNNER_ENV.idleMs]: String(template.idleMs),
      [RUNNER_ENV.stopGraceMs]: String(template.stopGraceMs),
      ...(template.maxTurns === null ? {} : { [RUNNER_ENV.maxTurns]: String(template.maxTurns) }),
      ...(template.command === null ? {} : { [RUNNER_ENV.command]: JSON.stringify(template.command) }),
      ...askingEnvironment(template.asking),
    },
    secretFiles: template.secretFiles,
    inDir: places.inDir,
    outDir: places.outDir,
    hostDir: places.hostDir,
    limits: template.limits,
    network: template.network,
  };
}

function askingEnvironment(asking: Asking): Record<string, string> {
  const lists = [
    [RUNNER_ENV.fallbackProviders, asking.fallbackProviders],
    [RUNNER_ENV.models, asking.models],
    [RUNNER_ENV.baseUrls, asking.baseUrls],
  ] as const;
  const given = lists.filter(([, list]) => Object.keys(list).length > 0);
  return {
    ...Object.fromEntries(given.map(([name, list]) => [name, JSON.stringify(list)])),
    [RUNNER_ENV.callDeadlineMs]: String(asking.callDeadlineMs),
    [RUNNER_ENV.historyMaxMessages]: String(asking.historyMaxMessages),
    [RUNNER_ENV.historyMaxBytes]: String(asking.historyMaxBytes),
    [RUNNER_ENV.maxSessionAgeMs]: String(asking.maxSessionAgeMs),
  };
}
