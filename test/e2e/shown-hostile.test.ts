import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnBoth, describeOnProcesses, PATIENCE_MS, say } from '../support/daemon.js';
import type { TestDaemon } from '../support/daemon.js';
import { eventually } from '../support/eventually.js';
import type { LoopTimes } from '../support/loop-probe.js';
import { LoopProbe } from '../support/loop-probe.js';

const TEST_MS = 4 * PATIENCE_MS;
const IDLE_MS = 3_000;
const MOST_BLOCKED_MS = 50;
const PASSES = 3;
const SUPER_JOURNAL = Buffer.from('d9d505f920a163d7', 'hex');
const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS message_id FROM n';

/** A file of the machine that is nobody's business. */
class Victim {
  readonly path: string;
  readonly #before: Buffer;
  readonly #mtimeMs: number;

  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    const db = new Database(this.path);
    db.exec('CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT)');
    db.close();
    // Older than the last write: the next read is recorded, wherever reads are recorded at all.
    utimesSync(this.path, new Date(Date.now() - 7_200_000), new Date(Date.now() - 3_600_000));
    this.#before = readFileSync(this.path);
    utimesSync(this.path, new Date(Date.now() - 7_200_000), new Date(Date.now() - 3_600_000));
    this.#mtimeMs = statSync(this.path).mtimeMs;
  }

  expectUntouched(): void {
    const { atimeMs, mtimeMs } = statSync(this.path);
    expect(mtimeMs).toBe(this.#mtimeMs);
    expect(atimeMs).toBeLessThan(mtimeMs);
    expect(readFileSync(this.path).equals(this.#before)).toBe(true);
  }
}

function rebuild(path: string, sql: string): void {
  rmSync(path);
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

type Plant = (outbound: string, victim: string) => void;

/** Refused, and reported as such. */
const HOSTILE: Readonly<Record<string, Plant>> = {
  link: (outbound, victim) => {
    rmSync(outbound);
    symlinkSync(victim, outbound);
  },
  fifo: (outbound) => {
    rmSync(outbound);
    execFileSync('mkfifo', [outbound]);
  },
  view: (outbound) => {
    rebuild(
      outbound,
      `CREATE VIEW processing_ack AS ${ENDLESS}; CREATE VIEW messages_out AS ${ENDLESS};
       CREATE VIEW container_state AS ${ENDLESS}; CREATE VIEW session_state AS ${ENDLESS};`,
    );
  },
  generated: (outbound) => {
    rebuild(
      outbound,
      `CREATE TABLE processing_ack (message_id TEXT PRIMARY KEY, status TEXT NOT NULL, status_changed TEXT NOT NULL,
         error TEXT GENERATED ALWAYS AS (hex(zeroblob(200000000))) VIRTUAL);
       INSERT INTO processing_ack VALUES ('m', 'failed', '2026-01-01 00:00:00');`,
    );
  },
  directory: (outbound) => {
    rmSync(outbound);
    mkdirSync(outbound);
  },
  wal: (outbound) => {
    const bytes = readFileSync(outbound);
    bytes[18] = 2;
    bytes[19] = 2;
    writeFileSync(outbound, bytes);
    writeFileSync(`${outbound}-shm`, '');
    writeFileSync(`${outbound}-wal`, '');
  },
  journal: (outbound, victim) => {
    const name = Buffer.from(`${victim}\0`);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(name.length);
    const parts = [SUPER_JOURNAL, Buffer.alloc(504), name, length, Buffer.alloc(4), SUPER_JOURNAL];
    writeFileSync(`${outbound}-journal`, Buffer.concat(parts));
  },
};
/** Repaired, and its message answered. */
const BROKEN: Readonly<Record<string, Plant>> = {
  garbage: (outbound) => {
    writeFileSync(outbound, 'garbage '.repeat(2_000));
  },
  empty: (outbound) => {
    writeFileSync(outbound, '');
  },
};
const GOOD = ['good/one', 'good/two', 'good/three'];

let outside: string;
beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), 'np-outside-'));
});
afterAll(() => {
  rmSync(outside, { recursive: true, force: true });
});

describeOnProcesses('one session each with something else for an outbound.db', ({ open }) => {
  it(
    'F1, F13, F14, F38: the good ones are served in the same round, nothing outside is touched, the loop is never blocked',
    async () => {
      const probe = new LoopProbe();
      try {
        const daemon = open({ env: probe.env, settings: { SWEEP_INTERVAL_MS: '1h' } });
        await daemon.start();
        const plants = { ...HOSTILE, ...BROKEN };
        const bad = Object.keys(plants).map((name) => `bad/${name}`);
        for (const session of [...bad, ...GOOD]) await daemon.done(['session', 'create', session]);
        const victims = Object.entries(plants).map(([name, plant]) => {
          const victim = new Victim(outside, `${name}.db`);
          plant(daemon.paths(`bad/${name}`).outbound, victim.path);
          return victim;
        });
        const listed = readdirSync(outside).sort();
        const idle = await idleTimes(daemon, probe);

        await daemon.sendBatch([...bad, ...GOOD].map((session) => ({ session, text: 'hello', id: 'm' })));
        const report = await daemon.sweep();
        for (const session of GOOD) await daemon.untilEnded(session, ['m']);
        const status = await daemon.statusWhen('all of the bad ones are told of', ({ sessions, notices }) => {
          const told = notices.some(({ kind }) => kind === 'replaced_corrupt_file');
          return sessions.quarantined === Object.keys(HOSTILE).length && told;
        });
        for (const name of Object.keys(BROKEN)) await daemon.untilEnded(`bad/${name}`, ['m']);
        const passes = [await probe.read(daemon.pid)];
        for (let pass = 1; pass < PASSES; pass += 1) {
          await Promise.all(Object.keys(HOSTILE).map((name) => daemon.done(['session', 'release', `bad/${name}`])));
          await daemon.sweep();
          await daemon.statusWhen('all are quarantined again', ({ sessions }) => {
            return sessions.quarantined === Object.keys(HOSTILE).length;
          });
          passes.push(await probe.read(daemon.pid));
        }

        for (const session of GOOD) {
          expect(daemon.message(session, 'm')).toMatchObject({ status: 'completed', tries: 0 });
          expect(await daemon.texts(session)).toEqual(['hello']);
        }
        expect(report.counts.swept).toBeLessThanOrEqual(bad.length + GOOD.length);
        const told = status.notices.map(({ kind, session }) => `${kind} ${String(session)}`).sort();
        expect(told).toEqual(
          [
            'replaced_corrupt_file bad/garbage',
            ...Object.keys(HOSTILE).map((name) => `quarantined bad/${name}`),
          ].sort(),
        );
        for (const name of Object.keys(HOSTILE)) {
          expect(await daemon.show(`bad/${name}`)).toMatchObject({ quarantined: true, incarnations: [] });
        }
        expect(daemon.message('bad/garbage', 'm')).toMatchObject({ status: 'completed', tries: 1 });
        expect(daemon.message('bad/empty', 'm')).toMatchObject({ status: 'completed', tries: 0 });
        victims.forEach((victim) => {
          victim.expectUntouched();
        });
        expect(readdirSync(outside).sort()).toEqual(listed);
        // The bytes that could not be read are kept.
        const kept = readdirSync(daemon.paths('bad/garbage').session, { recursive: true }).map(String);
        expect(kept.filter((path) => /outbound\.db[.-]/.test(path))).not.toEqual([]);

        say(`event loop, idle: ${shown(idle)}`);
        for (const one of passes) say(`event loop, with hostile files: ${shown(one)}`);
        // What they do, they do in every pass; what other work on this machine does, in some.
        const blockMs = Math.min(...passes.map(({ longestBlockMs }) => longestBlockMs));
        expect(blockMs).toBeLessThan(MOST_BLOCKED_MS + Math.max(0, idle.longestBlockMs));
      } finally {
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
      HOSTILE['fifo']?.(outbound, '');
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

function shown({ longestBlockMs, runningOfItMs, longestSpawnMs, longestGapMs }: LoopTimes): string {
  const [block, ran, spawn, gap] = [longestBlockMs, runningOfItMs, longestSpawnMs, longestGapMs].map((ms) =>
    ms.toFixed(1),
  );
  return `blocked ${String(block)} ms at most (running for ${String(ran)}); of all passes, starts of processes ${String(spawn)} ms at most, all in all ${String(gap)} ms`;
}

/** What a daemon without work shows on this machine now. */
async function idleTimes(daemon: TestDaemon, probe: LoopProbe) {
  await probe.read(daemon.pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  return probe.read(daemon.pid);
}
