import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPorter } from '../../support/porter.js';
import { inbound, sendSeries } from '../../support/series.js';
import { utc } from '../../support/wall-times.js';

const HOST = fileURLToPath(new URL('children/crash-host.mjs', import.meta.url));
const NOW = utc('2026-01-15 12:00');

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'np-kills-'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** What a session's files and the registry say of a series. */
interface Found {
  readonly rows: readonly { readonly id: string; readonly occurrence: string | null; readonly live: 0 | 1 }[];
  readonly claims: number;
  readonly spooled: number;
  readonly liveSeries: unknown;
  readonly nextDue: unknown;
}

function look(folder: string): Found {
  const read = <T>(path: string, sql: string): T[] => {
    const db = new Database(join(folder, 'data', path), { readonly: true });
    try {
      return db.prepare<[], T>(sql).all();
    } finally {
      db.close();
    }
  };
  const session = 'sessions/g/a';
  const [counted] = read<{ claims: number }>(
    `${session}/out/outbound.db`,
    "SELECT count(*) AS claims FROM processing_ack WHERE status = 'processing'",
  );
  const [spool] = read<{ spooled: number }>('registry.db', 'SELECT count(*) AS spooled FROM spool');
  const [row] = read<Record<string, unknown>>('registry.db', 'SELECT * FROM sessions');
  return {
    rows: read(
      `${session}/in/inbound.db`,
      `SELECT id, status, occurrence, process_after, tries,
         recurrence IS NOT NULL AND status IN ('pending', 'paused') AS live FROM messages_in ORDER BY seq`,
    ),
    claims: counted?.claims ?? 0,
    spooled: spool?.spooled ?? 0,
    liveSeries: row?.['live_series'],
    nextDue: row?.['next_due_at'],
  };
}

/** One round, killed at the `at`th write; 0: not at all. */
async function round(folder: string, at: number): Promise<{ readonly killed: boolean; readonly points: string[] }> {
  writeFileSync(join(folder, 'crash-at'), String(at));
  writeFileSync(join(folder, 'points'), '');
  const killed = await new Promise<boolean>((resolve, reject) => {
    execFile(process.execPath, [HOST, folder, String(NOW)], (error, _stdout, stderr) => {
      if (error === null) resolve(false);
      else if (error.signal === 'SIGKILL') resolve(true);
      else reject(new Error(stderr));
    });
  });
  return { killed, points: readFileSync(join(folder, 'points'), 'utf8').split('\n').slice(0, -1) };
}

/** The host is started again, and makes its round. */
async function nextRound(folder: string): Promise<Found> {
  const p = new TestPorter({ dataDir: join(folder, 'data') });
  try {
    p.clock.jump(NOW - p.clock.now());
    await p.round();
    return look(folder);
  } finally {
    await p.close();
  }
}

function isHot(folder: string, file: string): boolean {
  const journal = join(folder, 'data/sessions/g/a', `${file}-journal`);
  return existsSync(journal) && statSync(journal).size > 0;
}

type Prepare = (p: TestPorter) => Promise<void> | void;

async function prepare(name: string, how: Prepare): Promise<string> {
  const folder = join(root, name);
  const p = new TestPorter();
  p.clock.jump(NOW - p.clock.now());
  await how(p);
  await p.rounds.stop();
  await p.files.close();
  p.registry.close();
  cpSync(p.dataDir, join(folder, 'data'), { recursive: true });
  rmSync(p.dataDir, { recursive: true });
  return folder;
}

const nine = utc('2026-01-15 09:00');

const CASES: readonly [name: string, prepare: Prepare, live: string, rows: number][] = [
  [
    'an occurrence that completed',
    async (p) => {
      sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', firstMs: nine + 24 * 3_600_000 });
      await p.round();
      inbound(p, 'g/a', "UPDATE messages_in SET occurrence = '2026-01-15T09:00:00.000Z', process_after = occurrence");
      p.ack('g/a', 's', 'completed');
    },
    '2026-01-16T09:00:00.000Z',
    2,
  ],
  [
    'an occurrence that ends as a dead letter, its claim left behind',
    async (p) => {
      sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', firstMs: nine + 24 * 3_600_000 });
      await p.round();
      inbound(p, 'g/a', "UPDATE messages_in SET occurrence = '2026-01-15T09:00:00.000Z', tries = 5");
      p.ack('g/a', 's', 'processing');
    },
    '2026-01-16T09:00:00.000Z',
    2,
  ],
  [
    'a series that catches up on all that it missed',
    async (p) => {
      sendSeries(p, 'g/a', 's', { cron: '0 * * * *', missed: 'all', firstMs: nine + 24 * 3_600_000 });
      await p.round();
      inbound(p, 'g/a', "UPDATE messages_in SET occurrence = '2026-01-15T09:00:00.000Z', process_after = occurrence");
      p.ack('g/a', 's', 'failed', { errorClass: 'fatal' });
    },
    '2026-01-15T13:00:00.000Z',
    5,
  ],
  [
    'a missed occurrence that moves',
    (p) => {
      sendSeries(p, 'g/a', 's', { cron: '0 9 * * *', firstMs: utc('2026-01-12 09:00') });
    },
    '2026-01-15T09:00:00.000Z',
    1,
  ],
];

describe('F10: a host killed with SIGKILL at every write of a recurrence', () => {
  it.each(CASES)(
    '%s: exactly one live occurrence after the next round, none lost, none twice',
    { timeout: 300_000 },
    async (name, how, live, rows) => {
      const template = await prepare(name, how);
      const fresh = (): string => {
        const folder = join(root, 'run');
        rmSync(folder, { recursive: true, force: true });
        cpSync(template, folder, { recursive: true });
        return folder;
      };
      const undisturbed = fresh();
      const whole = await round(undisturbed, 0);
      const expected = look(undisturbed);
      expect(whole).toMatchObject({ killed: false });
      expect(expected.rows.filter((row) => row.live === 1)).toMatchObject([{ occurrence: live }]);
      expect(expected.rows).toHaveLength(rows);
      let hot = 0;
      for (let at = 1; at <= whole.points.length; at += 1) {
        const folder = fresh();
        const killed = await round(folder, at);
        expect(killed.killed, `point ${String(at)}`).toBe(true);
        if (isHot(folder, 'in/inbound.db') || isHot(folder, 'out/outbound.db')) hot += 1;
        const found = await nextRound(folder);
        const where = `killed ${killed.points.at(-1) ?? ''} (${String(at)})`;
        expect(found, where).toEqual(expected);
        expect(new Set(found.rows.map(({ occurrence }) => occurrence)).size, where).toBe(rows);
      }
      process.stdout.write(
        `${name}: killed at ${String(whole.points.length)} points, ${String(hot)} times with a hot journal\n`,
      );
    },
  );
});
