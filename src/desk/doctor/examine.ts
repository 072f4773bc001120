import type { Registry } from '../../ports/registry.js';
import type { InstallId } from '../../ports/runtime.js';
import { findSocket } from '../socket-place.js';
import type { DoctorView } from '../views.js';
import { Chart } from './chart.js';
import { existingAbove, lookAtDataDir, permissionsFinding, socketFinding } from './data-dir.js';
import { daemonFinding } from './daemon.js';
import { fileSystemFinding, inodesFinding, readDisk, readMount, spaceFinding } from './disk.js';
import { checkContainers, checkFolders } from './drift.js';
import { checkEngine, checkProbe } from './engine.js';
import { ok, problem } from './finding.js';
import { findHolder, lockFinding, untilClear } from './lock.js';
import { clockFinding, nodeFinding, sqliteFinding, timeZoneFinding } from './machine.js';
import { deadLettersFinding, noticesFinding, readFacts, registryFinding, sessionsFinding } from './registry.js';
import type { Facts } from './registry.js';
import type { DaemonAnswer, DoctorWorld } from './world.js';
import { realPathOf, tryWriting } from './writing.js';

/**
 * Looks at everything that Nightporter needs, in a process of its own: beside a running daemon it reads, and asks it over
 * its socket. Changes nothing but its own probe. Checks that need what is not there (a data dir, a sound registry) are left
 * out. Never rejects for what it finds.
 */
export async function examine(world: DoctorWorld): Promise<DoctorView> {
  const { clock, dataDir, store } = world;
  const began = { wallMs: clock.now(), monotonicMs: clock.monotonic() };
  const chart = new Chart(clock);
  chart.add('node', nodeFinding({ ...process, program: world.version }));
  const sqlite = await chart.check('sqlite', async () => sqliteFinding(await store.sqlite()));
  chart.add('settings', settingsFinding(world));

  const { state, finding } = lookAtDataDir(dataDir);
  chart.add('data_dir', finding);
  const isUsable = state === 'used' || state === 'without_registry';
  await checkDisk(chart, isUsable ? dataDir : existingAbove(dataDir));
  const fileSkewMs = isUsable ? await checkFiles(chart, dataDir) : undefined;
  const daemon = isUsable ? await checkDaemonLock(chart, world) : NO_DAEMON;

  const registry = state === 'used' && sqlite.state === 'ok' ? await checkRegistry(chart, world) : undefined;
  try {
    const facts = registry?.facts;
    if (isUsable) {
      const { settings } = world;
      const { sweepIntervalMs } = settings;
      chart.add('daemon', daemonFinding(daemon, { totals: facts?.totals, sweepIntervalMs, nowMs: clock.now() }));
    }
    const stepMs = clock.now() - began.wallMs - (clock.monotonic() - began.monotonicMs);
    const newestKnownMs = facts?.lastRoundMs;
    chart.add('clock', clockFinding({ nowMs: clock.now(), stepMs, fileSkewMs, newestKnownMs }));
    chart.add('time_zone', timeZoneFinding(process.env['TZ'], Intl.DateTimeFormat().resolvedOptions().timeZone));

    const install = isUsable ? installOrUndefined(world) : undefined;
    await checkRuntime(chart, world, { install, registry: registry?.registry, facts, daemon });
    if (registry !== undefined) {
      await chart.check('folders', () => checkFolders(store, clock, daemon.kind === 'answers'));
      chart.add('sessions', sessionsFinding(registry.facts.totals));
      chart.add('notices', noticesFinding(registry.facts.notices));
      chart.add('dead_letters', deadLettersFinding(registry.facts.totals));
    }
  } finally {
    registry?.registry.close();
  }
  return chart.view();
}

const NO_DAEMON: DaemonAnswer = { kind: 'none' };

function settingsFinding({ settings, settingsProblem }: DoctorWorld) {
  if (settingsProblem !== null) {
    const detail = `${settingsProblem.replaceAll(/\s*\n\s*/g, '; ')}; the defaults are looked at instead`;
    return problem(detail, 'mend them, and see with "nightporter config check"');
  }
  const { warnings, sources } = settings;
  return warnings.length > 0
    ? ({ state: 'warning', detail: warnings.join('; '), remedy: 'mend them, or leave them out' } as const)
    : ok(sources.size === 0 ? 'all at their defaults' : `${sources.size} set, the rest at their defaults`);
}

/** On the disk that holds the data dir, or will. */
async function checkDisk(chart: Chart, place: string): Promise<void> {
  await chart.check('disk', async () => spaceFinding(await readDisk(place)));
  await chart.check('inodes', async () => inodesFinding(await readDisk(place)));
  await chart.check('file_system', async () => fileSystemFinding(await readMount(realPathOf(place))));
}

/** Returns how far the time of a file written just now is off the clock. */
async function checkFiles(chart: Chart, dataDir: string): Promise<number | undefined> {
  let fileSkewMs: number | undefined;
  await chart.check('permissions', () => permissionsFinding(dataDir, process.getuid?.(), findSocket(dataDir)));
  await chart.check('socket', () => socketFinding(dataDir, findSocket(dataDir)));
  await chart.check('writing', async () => {
    const { finding, skewMs } = await tryWriting(dataDir);
    fileSkewMs = skewMs;
    return finding;
  });
  return fileSkewMs;
}

async function checkDaemonLock(chart: Chart, world: DoctorWorld): Promise<DaemonAnswer> {
  let answer: DaemonAnswer = NO_DAEMON;
  await chart.check('lock', async () => {
    const { holder, daemon } = await untilClear(
      () => findHolder(world.dataDir),
      () => world.daemon(),
      world.clock,
    );
    answer = daemon;
    return lockFinding(holder, daemon);
  });
  return answer;
}

async function checkRegistry(
  chart: Chart,
  world: DoctorWorld,
): Promise<{ readonly registry: Registry; readonly facts: Facts } | undefined> {
  const found: { registry?: Registry; facts?: Facts } = {};
  await chart.check('registry', async () => {
    const finding = registryFinding(await world.store.registry());
    if (finding.state === 'problem') return finding;
    found.registry = world.openRegistry();
    found.facts = readFacts(found.registry);
    return finding;
  });
  const { registry, facts } = found;
  if (registry !== undefined && facts !== undefined) return { registry, facts };
  registry?.close();
  return undefined;
}

function installOrUndefined(world: DoctorWorld): InstallId | undefined {
  try {
    return world.install();
  } catch {
    return undefined; // "data_dir" or "permissions" says why
  }
}

async function checkRuntime(
  chart: Chart,
  world: DoctorWorld,
  known: {
    readonly install: InstallId | undefined;
    readonly registry: Registry | undefined;
    readonly facts: Facts | undefined;
    readonly daemon: DaemonAnswer;
  },
): Promise<void> {
  const opened = await checkEngine(chart, world, known.install, known.facts?.recordedRuntime);
  if (opened === undefined) return;
  try {
    const { install, registry, daemon } = known;
    if (install !== undefined) await chart.check('probe', () => checkProbe(world, opened, install));
    if (registry === undefined) return;
    await chart.check('containers', () =>
      checkContainers(opened.runtime, registry, {
        clock: world.clock,
        hasDaemon: daemon.kind === 'answers',
        startMs: world.settings.runtimeDeadlineMs,
      }),
    );
  } finally {
    await opened.close();
  }
}
