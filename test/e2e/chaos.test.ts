import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { say } from '../support/daemon.js';
import { canMount } from '../support/small-disk.js';
import { isWholeSuite } from '../support/whole-suite.js';

const PROGRAM = fileURLToPath(new URL('../chaos/main.mjs', import.meta.url));
const REPORTS = fileURLToPath(new URL('../../reports/', import.meta.url));
const TEST_MS = 420_000;
/** Of load and faults; setting up, coming to rest and the audit come on top. */
const MINUTES = 1;
const SESSIONS = 12;

interface Report {
  readonly ok: boolean;
  readonly seed: number;
  readonly messages: Readonly<
    Record<'accepted' | 'completed' | 'answers' | 'lost' | 'explained' | 'unexplained', number>
  >;
  readonly faults: Readonly<Record<string, number>>;
  readonly recoveries: number;
  readonly problems: object;
}

function runChaos(runtime: 'process' | 'docker'): Promise<{ readonly code: number | null; readonly output: string }> {
  const args = ['--runtime', runtime, '--minutes', String(MINUTES), '--sessions', String(SESSIONS)];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
}

/** Why it cannot be done here; undefined: it can. With CI set, a missing engine is no excuse. */
function whyNot(runtime: 'process' | 'docker'): string | undefined {
  if (!canMount()) return 'it takes root on Linux, and the right to mount a tmpfs';
  // An engine that is killed over and over takes a minute that most runs do not have.
  if (runtime === 'docker' && !isWholeSuite) return 'NIGHTPORTER_WHOLE_SUITE=1 runs it';
  const required = ['CI', 'NIGHTPORTER_REQUIRE_ENGINE'].some((variable) => (process.env[variable] ?? '') !== '');
  if (runtime === 'process' || required || spawnSync('dockerd', ['--version']).status === 0) return undefined;
  return 'no dockerd; run scripts/engine up';
}

// Both at once: each waits most of the time, and judges nothing by how long it took.
describe.concurrent.each(['process', 'docker'] as const)('chaos, %s runtime', (runtime) => {
  const reason = whyNot(runtime);
  const name =
    'F7, F16, F22, F35: daemon, containers and engine are killed, files locked, the disk is full: nothing is lost, nothing answered twice';
  it.skipIf(reason !== undefined)(
    reason === undefined ? name : `${name} (skipped: ${reason})`,
    async () => {
      const { code, output } = await runChaos(runtime);
      say(output);
      expect(code).toBe(0);
      const report = JSON.parse(readFileSync(`${REPORTS}chaos-${runtime}.json`, 'utf8')) as Report;
      expect(report).toMatchObject({ ok: true, messages: { lost: 0, unexplained: 0 }, problems: {} });
      // It was put to the test at all.
      const hit = [
        'container killed',
        'daemon killed',
        'disk full',
        ...(runtime === 'docker' ? ['engine killed'] : []),
      ];
      expect(hit.filter((kind) => (report.faults[kind] ?? 0) === 0)).toEqual([]);
      expect(report.recoveries).toBeGreaterThan(0);
      expect(report.messages.completed).toBeGreaterThan(SESSIONS);
    },
    TEST_MS,
  );
});
