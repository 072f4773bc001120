// One round over a data dir, with file workers of its own, no container and a clock that stands; may be killed at a write.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { armCrashPoints } from './crash-points.mjs';

const [, , folder, nowMs] = process.argv;
const dataDir = `${folder}/data`;
writeFileSync(`${folder}/host.pid`, String(process.pid));
armCrashPoints(folder);
const dist = (path) => import(`../../../../dist/src/${path}`);
const { pino } = await import('pino');
const { loadSettings } = await dist('config/load.js');
const { policyFor } = await dist('config/policy.js');
const { roundsSettings } = await dist('daemon/rounds-settings.js');
const { specSource } = await dist('daemon/spec-source.js');
const { createNotices } = await dist('observe/notices.js');
const { PorterRounds } = await dist('rounds/rounds.js');
const { openRegistry } = await dist('store/registry/open-registry.js');
const { PooledSessionFiles } = await dist('store/session-files/pooled-session-files.js');

const settings = loadSettings({ dataDir, configPath: undefined, env: {}, flags: {}, readFile: () => undefined });
const clock = { now: () => Number(nowMs), monotonic: () => performance.now(), after: () => () => undefined };
const log = pino({ level: 'silent' });
const registry = openRegistry({ dataDir, mode: 'write' });
const files = new PooledSessionFiles({
  dataDir,
  childEntry: fileURLToPath(new URL('crash-worker.mjs', import.meta.url)),
  workers: 1,
  deadlineMs: 10_000,
  outboundMaxBytes: settings.outboundMaxBytes,
  outOwner: undefined,
});
const nothing = () => Promise.resolve();
const runtime = {
  kind: 'fake',
  start: () => Promise.resolve({ kind: 'refused', detail: 'nothing is started here' }),
  list: () => Promise.resolve([]),
  inspect: nothing,
  ping: () => Promise.resolve({ description: 'none', isolates: true }),
  prepare: nothing,
  close: nothing,
  async *events() {},
};
const rounds = new PorterRounds({
  registry,
  files,
  runtime,
  clock,
  log,
  notices: createNotices(registry, clock, log),
  settings: roundsSettings(settings),
  specs: specSource({ dataDir, settings, registry, runtime: 'process', runnerVersion: '1', environment: {} }),
  policy: (record) => policyFor(settings, record.group, record.provider),
});
await rounds.tick();
await rounds.settled();
await rounds.stop();
await files.close();
registry.close();
