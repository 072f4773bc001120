import { groupSettings, heartbeatIntervalMs } from '../config.js';
import type { GroupSettings, Settings } from '../config.js';
import { CONTAINER_IN, CONTAINER_WORKSPACE, INBOUND_FILE } from '../protocol/workspace.js';
import { policyFor } from '../config/policy.js';
import { hasLimit } from '../core/budget.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { ContainerTemplate, SpecSource } from '../rounds/container-spec.js';
import { sessionPaths } from '../store/session-files/session-paths.js';

/** What a program needs to find its way on this machine; everything else is let through by name (ENVIRONMENT). */
const PROCESS_BASICS = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

export interface SpecSourceOptions {
  readonly dataDir: string;
  /** Those in effect. */
  readonly settings: () => Settings;
  readonly registry: Pick<Registry, 'install'>;
  readonly runtime: 'docker' | 'process';
  readonly runnerVersion: string;
  /** The daemon's own environment, of which only named variables are let through. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** From settings to what containers are made of. */
export function specSource(options: SpecSourceOptions): SpecSource {
  const { dataDir, settings, registry, runtime, runnerVersion } = options;
  return {
    install: registry.install,
    runnerVersion: `${runtime}:${runnerVersion}`,
    template(record): ContainerTemplate {
      const group = groupSettings(settings(), record.group);
      return {
        provider: record.provider ?? group.provider,
        command: record.command ?? group.command,
        image: record.image ?? group.image,
        entrypoint: group.entrypoint,
        environment: containerEnvironment(options, group, sessionPaths(dataDir, record.address).out),
        secretFiles: secretFilesOf(group),
        asking: {
          fallbackProviders: group.fallbackProviders,
          models: group.model,
          baseUrls: group.baseUrl,
          callDeadlineMs: group.callDeadlineMs,
          historyMaxMessages: group.historyMaxMessages,
          historyMaxBytes: group.historyMaxBytes,
          maxSessionAgeMs: group.maxSessionAgeMs,
        },
        network: group.network,
        limits: { memoryBytes: group.memoryBytes, cpus: group.cpus, pids: group.pids },
        heartbeatMs: heartbeatIntervalMs(group),
        maxClaims: group.maxClaims,
        maxTurns: isBudgeted(settings(), record) ? 1 : null,
        idleMs: group.idleTimeoutMs,
        stopGraceMs: group.stopGraceMs,
      };
    },
    places(session) {
      const paths = sessionPaths(dataDir, session);
      const folders = { inDir: paths.in, outDir: paths.out, hostDir: paths.host };
      return runtime === 'process'
        ? { ...folders, inbound: paths.inbound, workspace: paths.out }
        : { ...folders, inbound: `${CONTAINER_IN}/${INBOUND_FILE}`, workspace: CONTAINER_WORKSPACE };
    },
  };
}

/** Every turn is decided on where something limits them. */
function isBudgeted(settings: Settings, { group, provider }: SessionRecord): boolean {
  const { budgets } = policyFor(settings, group, provider);
  return hasLimit(budgets.session) || hasLimit(budgets.group);
}

function secretFilesOf({ environment }: GroupSettings): Record<string, string> {
  const files = Object.entries(environment).flatMap(([name, given]) =>
    typeof given === 'object' && given !== null ? [[name, given.file] as const] : [],
  );
  return Object.fromEntries(files);
}

function containerEnvironment(
  { runtime, environment }: SpecSourceOptions,
  group: GroupSettings,
  workspace: string,
): Record<string, string> {
  const basics = runtime === 'process' ? PROCESS_BASICS : [];
  const given = new Map<string, string>();
  if (runtime === 'process') given.set('HOME', workspace);
  for (const name of basics) pass(name);
  for (const [name, fixed] of Object.entries(group.environment)) {
    if (fixed === null) pass(name);
    else if (typeof fixed === 'string') given.set(name, fixed);
  }
  return Object.fromEntries(given);

  function pass(name: string): void {
    const value = environment[name];
    if (value !== undefined) given.set(name, value);
  }
}
