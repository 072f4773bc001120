import type { ExamineOptions } from '../cli/host.js';
import type { Settings } from '../config.js';
import { loadSettings } from '../config/load.js';
import { describeError } from '../desk/describe-error.js';
import { examine } from '../desk/doctor/examine.js';
import type { DoctorWorld, ExaminedRuntime, Probe } from '../desk/doctor/world.js';
import type { DoctorView } from '../desk/views.js';
import { createLog } from '../observe/logs.js';
import type { Logger } from '../observe/logs.js';
import type { RuntimeExaminer } from '../ports/examination.js';
import type { SessionRecord } from '../ports/registry.js';
import type { InstallId } from '../ports/runtime.js';
import { epochOf, splitAddress } from '../protocol/address.js';
import type { SessionAddress } from '../protocol/address.js';
import { RUNNER_ENV } from '../protocol/workspace.js';
import { containerSpec } from '../rounds/container-spec.js';
import { chooseRuntime, thisMachine } from '../runtime/choose-runtime.js';
import type { RuntimeKind } from '../runtime/choose-runtime.js';
import { ProcessExaminer } from '../runtime/process/process-examiner.js';
import { ExaminedStore } from '../store/examination/examined-store.js';
import { installId } from '../store/install-id.js';
import { openRegistry } from '../store/registry/open-registry.js';
import { systemClock } from '../system.js';
import {
  COMPILED,
  openFiles,
  openRuntime,
  PACKAGE_ROOT,
  packageVersion,
  requireEngineAddress,
  RUNNER_ENTRY,
  SHIM_ENTRY,
} from './assembly.js';
import { settingsOf } from './read-settings.js';
import { specSource } from './spec-source.js';

/** A person waits: an engine that needs longer for a call is in trouble. */
const ENGINE_MAX_MS = 10_000;
const STORE_MAX_MS = 60_000;
const PROBE_MAX_MS = 30_000;
/** The probe's runner leaves once it has answered its one message. */
const PROBE_IDLE_MS = 100;
const PROBE_SESSION = 'doctor/probe' as SessionAddress;

export async function examineInstall(options: ExamineOptions): Promise<DoctorView> {
  const { dataDir } = options;
  const { settings, problem } = settingsOrDefaults(options);
  const log = createLog('silent');
  const deadlineMs = Math.min(settings.runtimeDeadlineMs, ENGINE_MAX_MS);
  const store = new ExaminedStore({
    dataDir,
    childEntry: `${COMPILED}src/store/examination/child.js`,
    deadlineMs: STORE_MAX_MS,
  });
  const world: DoctorWorld = {
    dataDir,
    clock: systemClock,
    version: packageVersion(),
    settings,
    settingsProblem: problem,
    daemon: options.daemon,
    store,
    openRegistry: () => openRegistry({ dataDir, mode: 'read' }),
    install: () => installId(dataDir),
    chooseRuntime: (recorded) =>
      chooseRuntime({
        asked: settings.runtime,
        recorded: recorded === 'docker' || recorded === 'process' ? recorded : undefined,
        around: thisMachine(),
      }),
    openRuntime: (kind, install) =>
      openExamined(kind, install, dataDir, { ...settings, runtimeDeadlineMs: deadlineMs }, log),
    openProbe: (kind, install, folder) => Promise.resolve(openProbe(kind, install, folder, settings, log)),
  };
  try {
    return await examine(world);
  } finally {
    await store.close();
  }
}

/** Wrong settings are a finding: everything else is looked at with the defaults. */
function settingsOrDefaults(options: ExamineOptions): { readonly settings: Settings; readonly problem: string | null } {
  try {
    return { settings: settingsOf({ ...options, runtime: undefined }), problem: null };
  } catch (error) {
    const nothing = { env: {}, flags: {}, configPath: undefined, readFile: () => undefined };
    return { settings: loadSettings({ dataDir: options.dataDir, ...nothing }), problem: describeError(error).message };
  }
}

async function openExamined(
  kind: RuntimeKind,
  install: InstallId,
  dataDir: string,
  settings: Settings,
  log: Logger,
): Promise<ExaminedRuntime> {
  const runtime = await openRuntime(kind, dataDir, settings, { install }, log);
  const examiner = kind === 'docker' ? await dockerExaminer(install, dataDir, settings) : processExaminer();
  return {
    runtime,
    examiner,
    async close() {
      examiner.close();
      await runtime.close();
    },
  };
}

async function dockerExaminer(install: InstallId, dataDir: string, settings: Settings): Promise<RuntimeExaminer> {
  const { DockerExaminer } = await import('../runtime/docker/docker-examiner.js');
  return new DockerExaminer({
    address: requireEngineAddress(),
    install,
    root: PACKAGE_ROOT,
    baseImage: settings.runnerBaseImage,
    dataPathMapping: settings.hostDataDir === null ? undefined : { from: dataDir, to: settings.hostDataDir },
    deadlineMs: settings.runtimeDeadlineMs,
    probeMs: PROBE_MAX_MS,
  });
}

function processExaminer(): RuntimeExaminer {
  return new ProcessExaminer({
    nodePath: process.execPath,
    shimEntry: SHIM_ENTRY,
    runnerEntry: RUNNER_ENTRY,
    probeMs: PROBE_MAX_MS,
  });
}

/** A data dir of one session within the real one: same disk, same owners, same path for the engine. */
function openProbe(kind: RuntimeKind, install: InstallId, folder: string, settings: Settings, log: Logger): Probe {
  const files = openFiles(folder, settings, kind, log);
  const source = specSource({
    dataDir: folder,
    settings: () => settings,
    registry: { install },
    runtime: kind,
    runnerVersion: packageVersion(),
    environment: process.env,
  });
  const spec = containerSpec(source, probeRecord(), epochOf(1));
  const own = { [RUNNER_ENV.provider]: 'echo', [RUNNER_ENV.idleMs]: String(PROBE_IDLE_MS) };
  return { files, spec: { ...spec, image: undefined, environment: { ...spec.environment, ...own } } };
}

function probeRecord(): SessionRecord {
  return {
    ...splitAddress(PROBE_SESSION),
    status: 'active',
    pinned: false,
    provider: 'echo',
    image: null,
    command: null,
    project: null,
    title: null,
    createdAtMs: 0,
    lastActiveMs: null,
    closedAtMs: null,
    closeReason: null,
    epoch: epochOf(0),
    nextDueAtMs: null,
    dueMark: 0,
    quarantine: null,
    heldSinceMs: null,
    signature: null,
    liveSeries: 0,
    spooled: 0,
    purged: 0,
    counts: { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 },
  };
}
