import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { policyFor } from '../../dist/src/config/policy.js';
import { loadSettings } from '../../dist/src/config/load.js';
import { specSource } from '../../dist/src/daemon/spec-source.js';
import { createLog } from '../../dist/src/observe/logs.js';
import { createNotices } from '../../dist/src/observe/notices.js';
import { PorterRounds } from '../../dist/src/rounds/rounds.js';
import { openRegistry } from '../../dist/src/store/registry/open-registry.js';
import { PooledSessionFiles } from '../../dist/src/store/session-files/pooled-session-files.js';
import { systemClock } from '../../dist/src/system.js';
import { breathe, watchLoop } from './loop.mjs';
import { median, ms, row, title } from './report.mjs';

const CHILD_ENTRY = fileURLToPath(new URL('../../dist/src/store/worker/child.js', import.meta.url));
const SESSIONS = 100_000;
const ROUNDS = 5;

/** Rounds over a registry full of sessions that have nothing to do; their folders are not there, and not asked for. */
export async function benchIdle() {
  const dataDir = mkdtempSync(join(tmpdir(), 'np-bench-'));
  openRegistry({ dataDir, mode: 'write' }).close();
  change(dataDir, (database) => {
    const insert = database.prepare(
      'INSERT INTO sessions (address, folded, created_at, completed) VALUES (@address, @address, 0, 3)',
    );
    for (let index = 0; index < SESSIONS; index += 1) {
      insert.run({ address: `g${String(index % 50)}/s${String(index)}` });
    }
  });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const registry = openRegistry({ dataDir, mode: 'write' });
  const settings = loadSettings({
    dataDir,
    configPath: undefined,
    env: {},
    flags: {},
    readFile: () => undefined,
  });
  const log = createLog('error');
  const files = new PooledSessionFiles({
    dataDir,
    childEntry: CHILD_ENTRY,
    workers: settings.fileWorkers,
    deadlineMs: settings.fileDeadlineMs,
    outboundMaxBytes: settings.outboundMaxBytes,
    outOwner: undefined,
    log,
  });
  let lists = 0;
  const rounds = new PorterRounds({
    registry,
    files,
    runtime: emptyRuntime(() => (lists += 1)),
    clock: systemClock,
    log,
    notices: createNotices(registry, systemClock, log),
    settings: { ...settings, driftSlice: settings.gateSlice, sweepIntervalMs: 3_600_000, orphans: 'adopt' },
    specs: specSource({
      dataDir,
      settings,
      registry,
      runtime: 'process',
      runnerVersion: 'bench',
      environment: {},
    }),
    policy: (record) => policyFor(settings, record.group, record.provider),
  });
  try {
    await rounds.start();
    title(`a round over ${String(SESSIONS)} idle sessions`);
    lists = 0;
    await measured('round', '300 ms', () => rounds.tick());
    row('engine lists per round', String(lists / ROUNDS), '1');
    globalThis.gc?.();
    row(
      'memory per session',
      `${String(Math.round((process.memoryUsage().rss - before) / SESSIONS))} bytes`,
      '1024 bytes',
    );
    change(dataDir, (database) => database.prepare('UPDATE sessions SET next_due_at = 1').run());
    title(`all ${String(SESSIONS)} of them due at once`);
    await measured('finding them', '', async () => {
      for (const page of registry.eachDue(Date.now())) if (page.length > 0) await breathe();
    });
  } finally {
    await rounds.stop();
    await files.close();
    registry.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measured(what, target, work) {
  const walls = [];
  const cpus = [];
  const turns = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const loop = watchLoop();
    await breathe();
    const cpu = process.cpuUsage();
    const began = performance.now();
    await work();
    walls.push(performance.now() - began);
    const { user, system } = process.cpuUsage(cpu);
    cpus.push((user + system) / 1_000);
    await breathe();
    turns.push(loop.stop());
  }
  row(what, `${ms(median(walls))} wall, ${ms(median(cpus))} cpu`, target);
  const longest = (unit) => ms(median(turns.map((turn) => turn[unit])));
  row(`${what}: longest turn of the event loop`, `${longest('wallMs')} wall, ${longest('cpuMs')} cpu`, '20 ms');
}

function change(dataDir, work) {
  const database = new Database(join(dataDir, 'registry.db'));
  database.transaction(work)(database);
  database.close();
}

function emptyRuntime(onList) {
  return {
    kind: 'fake',
    async list() {
      onList();
      return [];
    },
    inspect: async () => undefined,
    ping: async () => ({ description: 'none', isolates: false }),
    async *events(signal) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    prepare: async () => undefined,
    close: async () => undefined,
  };
}
