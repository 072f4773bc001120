import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { built } from '../support/built.js';
import { rawControls } from '../support/control-characters.js';
import { describeOnBoth, describeOnProcesses, PATIENCE_MS, say } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import { HostileFleet } from '../support/hostile-fleet.js';
import type { LoopTimes } from '../support/loop-probe.js';
import { LoopProbe } from '../support/loop-probe.js';
import { Bystander, Victim } from '../support/victim.js';

const TEST_MS = 4 * PATIENCE_MS;
const MOST_BLOCKED_MS = 50;
const PASSES = 3;
const SWEEP_INTERVAL_MS = 1_000;
/** A round that waits for a file is over after FILE_DEADLINE_MS, 2 s; the rest is the machine's. */
const MOST_ROUND_MS = 10_000;
const SETTINGS = { SWEEP_INTERVAL_MS, LOCKED_STOP_MS: 1_500, BACKOFF_BASE_MS: 100, LOG_LEVEL: 'debug' };
const MAX_TOOL_TIMEOUT_MS = 2_500;
const LIVE = {
  ...{ STALE_THRESHOLD_MS: 1_000, CLAIM_STUCK_MS: 500, START_GRACE_MS: 500 },
  ...{ MAX_TOOL_TIMEOUT_MS, ABSOLUTE_CEILING_MS: 60_000 },
  ENTRYPOINT: [process.execPath, fileURLToPath(new URL('../support/hostile-runner.mjs', import.meta.url))],
};

let outside: string;
beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), 'np-outside-'));
});
afterAll(() => {
  rmSync(outside, { recursive: true, force: true });
});

describeOnProcesses('one session each for every hostile thing', ({ open }) => {
  it(
    'F1, F2, F13, F14, F15, F38: each is told of and costs its own session alone, the loop is never blocked, nothing outside is touched',
    async () => {
      const probe = new LoopProbe();
      const ENVIRONMENT = [`NP_OUTSIDE=${outside}`, `NP_RUNNER=${built('container/agent-runner/src/main.js')}`];
      const daemon = open({ env: probe.env, settings: SETTINGS, groups: { live: { ...LIVE, ENVIRONMENT } } });
      const passwd = new Bystander('/etc/passwd');
      const fleet = new HostileFleet(daemon, outside);
      try {
        await daemon.start();
        await fleet.create();
        const idle = await fleet.idleTimes(probe);
        await fleet.plant();
        const listed = readdirSync(outside).sort();
        await probe.read(daemon.pid);
        const plantedAtMs = Date.now();

        const good = fleet.serveGoodOnes();
        await fleet.send();
        const settled = await fleet.untilSettled();
        const passes = [await probe.read(daemon.pid)];
        const printed = await fleet.printed();
        await fleet.checkSaved(join(daemon.dataDir, 'saved'));
        for (let pass = 1; pass < PASSES; pass += 1) {
          await fleet.releaseRefused();
          passes.push(await probe.read(daemon.pid));
        }
        const servedMs = await good.end();

        for (const line of await fleet.checkCases(settled)) say(line);
        expect(fleet.declaredToolMs()).toBeGreaterThan(MAX_TOOL_TIMEOUT_MS);
        passwd.expectUnwritten();
        fleet.expectNeighbourUntouched();
        expect(readdirSync(outside).sort()).toEqual(listed);
        for (const [what, text] of printed) expect(rawControls(text), what).toEqual([]);
        expect(rawControls(daemon.log)).toEqual([]);
        expect(daemon.log + [...printed.values()].join('')).not.toContain('root:x:0:0');

        const rounds = fleet.roundsSince(plantedAtMs);
        say(`good sessions: ${String(servedMs.length)} messages answered, ${ms(Math.max(...servedMs))} at most`);
        say(
          `rounds: ${String(rounds.count)}, ${ms(rounds.longestMs)} at most, begun ${ms(rounds.longestGapMs)} apart at most`,
        );
        expect(servedMs.length).toBeGreaterThan(0);
        expect(rounds.longestMs).toBeLessThan(MOST_ROUND_MS);
        expect(rounds.longestGapMs).toBeLessThan(SWEEP_INTERVAL_MS + MOST_ROUND_MS);
        say(`event loop, idle: ${shown(idle)}`);
        for (const one of passes) say(`event loop, with hostile files: ${shown(one)}`);
        // What they do, they do in every pass; what other work on this machine does, in some.
        const blockMs = Math.min(...passes.map(({ longestBlockMs }) => longestBlockMs));
        expect(blockMs).toBeLessThan(MOST_BLOCKED_MS + Math.max(0, idle.longestBlockMs));
        // Of its own, in no pass: a container's doings are over after the first.
        expect(Math.max(...passes.map(({ longestRunMs }) => longestRunMs))).toBeLessThan(MOST_BLOCKED_MS);
      } finally {
        fleet.close();
        probe.close();
      }
    },
    TEST_MS,
  );

  it(
    'F1: a released session is served once what was planted is gone',
    async () => {
      const daemon = open();
      await daemon.start();
      await daemon.done(['session', 'create', 'bad/one']);
      const { outbound } = daemon.paths('bad/one');
      copyFileSync(outbound, `${outside}/kept.db`);
      rmSync(outbound);
      execFileSync('mkfifo', [outbound]);
      const id = await daemon.send('bad/one', 'hello');
      await daemon.statusWhen('it is quarantined', ({ sessions }) => sessions.quarantined === 1);

      // A release alone changes nothing.
      await daemon.done(['session', 'release', 'bad/one']);
      await daemon.statusWhen('it is quarantined again', ({ sessions }) => sessions.quarantined === 1);
      rmSync(outbound);
      copyFileSync(`${outside}/kept.db`, outbound);
      await daemon.done(['session', 'release', 'bad/one']);

      await daemon.untilEnded('bad/one', [id]);
      expect(await daemon.texts('bad/one')).toEqual(['hello']);
      expect(await daemon.status()).toMatchObject({ sessions: { quarantined: 0 }, notices: [] });
    },
    TEST_MS,
  );
});

await describeOnBoth('a container that turns hostile', ({ runtime, open }) => {
  it(
    'F14: it plants a link in place of its file: stopped, quarantined, told of; its message is kept, others are served',
    async () => {
      const daemon = open({ settings: { STOP_GRACE_MS: 500 } });
      await daemon.start();
      const victim = new Victim(outside, `of-another-${runtime}.db`);
      const swap = `rm -f outbound.db; ln -s ${victim.path} outbound.db; sleep 100`;
      await daemon.createScript('bad/planter', swap);
      await daemon.done(['session', 'create', 'good/one']);
      await daemon.sendBatch(['bad/planter', 'good/one'].map((session) => ({ session, text: 'hello', id: 'm' })));

      await daemon.untilEnded('good/one', ['m']);
      const status = await daemon.statusWhen('it is quarantined', ({ sessions }) => sessions.quarantined === 1);
      await eventually(
        'its container is gone',
        async () => !(await daemon.containers.running()).some(({ session }) => session === 'bad/planter'),
        { timeoutMs: PATIENCE_MS },
      );

      expect(status.notices.map(({ kind }) => kind)).toContain('quarantined');
      victim.expectUntouched();
      expect(existsSync(victim.path)).toBe(true);
      expect(daemon.message('bad/planter', 'm')).toMatchObject({ status: 'pending' });
      const stopped = await eventually(
        'its end is recorded',
        () => daemon.incarnations('bad/planter').find(({ stopped_at: atMs }) => atMs !== null),
        { timeoutMs: PATIENCE_MS },
      );
      expect(stopped.stop_reason).toBe('hostile');
    },
    TEST_MS,
  );
});

function shown({ longestBlockMs, runningOfItMs, longestRunMs, longestSpawnMs, longestGapMs }: LoopTimes): string {
  const times = [longestBlockMs, runningOfItMs, longestRunMs, longestSpawnMs, longestGapMs];
  const [block, ran, turn, spawn, gap] = times.map((time) => ms(time, 1));
  return (
    `blocked ${String(block)} at most (running for ${String(ran)}); of all passes, ran ${String(turn)} in one turn at most, ` +
    `starts of processes ${String(spawn)} at most, all in all ${String(gap)}`
  );
}

function ms(time: number, digits = 0): string {
  return `${time.toFixed(digits)} ms`;
}
