import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { policyFor } from '../config/policy.js';
import type { Settings } from '../config.js';
import type { Desk } from '../desk/desk.js';
import { createLog } from '../observe/logs.js';
import type { Logger } from '../observe/logs.js';
import { createNotices } from '../observe/notices.js';
import type { Registry } from '../ports/registry.js';
import type { Runtime } from '../ports/runtime.js';
import { NightporterError } from '../protocol/errors.js';
import { LoopTurns } from '../protocol/loop-turns.js';
import { PorterUpkeep } from '../upkeep/upkeep.js';
import { retentionOf, upkeepSettings } from './upkeep-settings.js';
import { PorterRounds } from '../rounds/rounds.js';
import { chooseRuntime, thisMachine } from '../runtime/choose-runtime.js';
import type { RuntimeKind } from '../runtime/choose-runtime.js';
import { CONTAINER_GID, CONTAINER_UID } from '../runtime/docker/create-options.js';
import type { EngineAddress } from '../runtime/docker/engine-address.js';
import { findEngineAddress } from '../runtime/docker/engine-address.js';
import { ProcessRuntime } from '../runtime/process/process-runtime.js';
import { SecretFiles } from '../runtime/secret-files.js';
import { PooledSessionFiles } from '../store/session-files/pooled-session-files.js';
import { StagingFolder } from '../store/staging.js';
import { systemClock, systemRandom } from '../system.js';
import { deskSettings } from './desk-settings.js';
import { roundsSettings } from './rounds-settings.js';
import { specSource } from './spec-source.js';

/** The folder that holds package.json: this file's place is the same below src/ and dist/src/. */
export const PACKAGE_ROOT = findRoot();
export const COMPILED = `${PACKAGE_ROOT}dist/`;
/** As whom containers run under a root daemon. */
const OUT_OWNER = { uid: CONTAINER_UID, gid: CONTAINER_GID };
/** How long an end waits for what the runtime still does in the background. */
const RUNTIME_CLOSE_MS = 5_000;
/** Of this process: whoever starts another one waits for a turn. */
const turns = new LoopTurns();
export const RUNNER_ENTRY = `${COMPILED}container/agent-runner/src/main.js`;
export const SHIM_ENTRY = `${COMPILED}src/runtime/process/shim.js`;

/** Decided once per data dir and recorded; an explicit choice replaces it only where `record` says so. */
export function decideRuntime(
  settings: Settings,
  registry: Registry,
  log: Logger,
  options: { readonly record: boolean },
): RuntimeKind {
  const before = registry.readFact('runtime');
  const recorded = before === 'docker' || before === 'process' ? before : undefined;
  const choice = chooseRuntime({ asked: settings.runtime, recorded, around: thisMachine() });
  if (options.record && choice.kind !== recorded) registry.writeFact('runtime', choice.kind);
  log.debug({ runtime: choice.kind, reason: choice.reason }, 'runtime chosen');
  return choice.kind;
}

export function openFiles(
  dataDir: string,
  settings: Settings,
  runtime: RuntimeKind | null,
  log: Logger,
): PooledSessionFiles {
  return new PooledSessionFiles({
    dataDir,
    childEntry: `${COMPILED}src/store/worker/child.js`,
    workers: settings.fileWorkers,
    deadlineMs: settings.fileDeadlineMs,
    outboundMaxBytes: settings.outboundMaxBytes,
    attachments: { maxBytes: settings.attachmentMaxBytes, max: settings.attachmentsMax },
    outOwner: runtime === 'docker' && process.getuid?.() === 0 ? OUT_OWNER : undefined,
    log: log.child({ component: 'files' }),
    turns,
  });
}

export async function openRuntime(
  kind: RuntimeKind,
  dataDir: string,
  settings: Settings,
  registry: Pick<Registry, 'install'>,
  log: Logger,
): Promise<Runtime> {
  const shared = { install: registry.install, deadlineMs: settings.runtimeDeadlineMs };
  if (kind === 'process') {
    const runtime = new ProcessRuntime({
      ...shared,
      dataDir,
      shimEntry: SHIM_ENTRY,
      runnerEntry: RUNNER_ENTRY,
      nodePath: process.execPath,
      log: log.child({ component: 'process-runtime' }),
      turns,
    });
    return new SecretFiles(runtime);
  }
  const address = requireEngineAddress();
  // Loaded only where it is needed: it takes a quarter of a second.
  const { DockerRuntime } = await import('../runtime/docker/docker-runtime.js');
  const runtime = new DockerRuntime({
    ...shared,
    address,
    root: PACKAGE_ROOT,
    baseImage: settings.runnerBaseImage,
    dataPathMapping: settings.hostDataDir === null ? undefined : { from: dataDir, to: settings.hostDataDir },
    log: log.child({ component: 'docker-runtime' }),
  });
  return new SecretFiles(runtime);
}

export function requireEngineAddress(): EngineAddress {
  const address = findEngineAddress(thisMachine());
  if (address !== undefined) return address;
  throw new NightporterError(
    'unavailable',
    'no container engine is installed: install Docker or Podman, set DOCKER_HOST, or use --runtime process',
  );
}

async function atMost(limitMs: number, work: Promise<void>): Promise<void> {
  let cancel = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    cancel = systemClock.after(limitMs, resolve);
  });
  await Promise.race([work, late]).finally(cancel);
}

/** What the desk may ask of the daemon itself. */
export type Controls = Pick<Desk, 'requestStop' | 'reloadSettings'>;

export interface Assembled {
  readonly rounds: PorterRounds;
  readonly upkeep: PorterUpkeep;
  readonly desk: Desk;
  readonly runtime: Runtime;
  /** In reverse order of building; the registry and the lock stay with the caller. Idempotent. */
  close(): Promise<void>;
}

export async function assemble(
  kind: RuntimeKind,
  dataDir: string,
  settings: () => Settings,
  registry: Registry,
  log: Logger,
  controls: Controls,
): Promise<Assembled> {
  const runtime = await openRuntime(kind, dataDir, settings(), registry, log);
  const runnerVersion = kind === 'docker' ? await runnerImage() : packageVersion();
  const files = openFiles(dataDir, settings(), kind, log);
  const rounds = new PorterRounds({
    registry,
    files,
    runtime,
    clock: systemClock,
    log: log.child({ component: 'rounds' }),
    notices: createNotices(registry, systemClock, log.child({ component: 'notices' })),
    settings: () => roundsSettings(settings()),
    specs: specSource({ dataDir, settings, registry, runtime: kind, runnerVersion, environment: process.env }),
    policy: (record) => policyFor(settings(), record.group, record.provider),
  });
  const upkeep = new PorterUpkeep({
    registry,
    files,
    supervision: rounds,
    clock: systemClock,
    log: log.child({ component: 'upkeep' }),
    notices: createNotices(registry, systemClock, log.child({ component: 'notices' })),
    settings: () => upkeepSettings(settings()),
    retention: ({ group }) => retentionOf(settings(), group),
    folderOf: (session) => `${dataDir}/sessions/${session}`,
  });
  const desk = openDeskOn(dataDir, settings, registry, files, log, { rounds, upkeep, runtime, ...controls });
  return {
    rounds,
    upkeep,
    desk,
    runtime,
    async close() {
      await upkeep.stop();
      await rounds.stop();
      await files.close();
      // Removals in the background are taken up by the next start: an engine that hangs must not hold up the end.
      await atMost(RUNTIME_CLOSE_MS, runtime.close());
    },
  };
}

export function openDeskOn(
  dataDir: string,
  settings: () => Settings,
  registry: Registry,
  files: PooledSessionFiles,
  log: Logger,
  live: Pick<Desk, 'rounds' | 'upkeep' | 'runtime' | keyof Controls>,
): Desk {
  return {
    registry,
    files,
    nanoclaw: files.nanoclaw,
    clock: systemClock,
    random: systemRandom,
    staging: new StagingFolder(dataDir),
    settings: () => deskSettings(dataDir, settings()),
    log: log.child({ component: 'desk' }),
    ...live,
  };
}

/** The daemon logs as it is set just now; commands only what is wrong. */
export function logFor(settings: () => Settings, who: 'daemon' | 'command'): Logger {
  const log = createLog(who === 'daemon' ? () => settings().logLevel : 'error');
  tellWarnings(settings(), log);
  return log;
}

export function tellWarnings({ warnings }: Settings, log: Logger): void {
  for (const warning of warnings) log.warn({ warning }, 'settings');
}

function findRoot(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const inDist = fileURLToPath(new URL('../../../', import.meta.url));
  return here.includes('/dist/src/') ? inDist : fileURLToPath(new URL('../../', import.meta.url));
}

export function packageVersion(): string {
  const text: unknown = JSON.parse(readFileSync(`${PACKAGE_ROOT}package.json`, 'utf8'));
  if (typeof text === 'object' && text !== null && 'version' in text && typeof text.version === 'string') {
    return text.version;
  }
  throw new NightporterError('failed', `${PACKAGE_ROOT}package.json has no version: reinstall Nightporter`);
}

export async function runnerImage(): Promise<string> {
  const { runnerImageTag } = await import('../runtime/docker/image.js');
  return runnerImageTag(PACKAGE_ROOT);
}
