import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunningCli } from '../../support/cli.js';
import { runCli, startCli } from '../../support/cli.js';
import { makeDataDir } from '../../support/desk-fixture.js';
import { eventually } from '../../support/eventually.js';

/** A dozen commands, each a process. */
const TEST_MS = 120_000;

let dataDir: string;
let daemon: RunningCli | undefined;

beforeEach(() => {
  dataDir = makeDataDir('gc');
});
afterEach(async () => {
  daemon?.child.kill('SIGKILL');
  await daemon?.result;
  daemon = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

const WINDOWS = { NIGHTPORTER_SESSION_CLOSE_AFTER_MS: '1', NIGHTPORTER_SESSION_DELETE_AFTER_MS: '1' };
const cli = (args: readonly string[], env: Readonly<Record<string, string>> = WINDOWS) =>
  runCli([...args, '--data-dir', dataDir], { env });
const gc = async (...args: readonly string[]): Promise<unknown> =>
  JSON.parse((await cli(['gc', '--json', ...args])).stdout);
const folder = (): string => join(dataDir, 'sessions/demo/a');

it(
  'L3, L4: gc closes and deletes without a daemon, and a dry run lists just that',
  async () => {
    await cli(['session', 'create', 'demo/a']);
    await cli(['session', 'create', 'demo/b']);
    await cli(['session', 'pin', 'demo/b']);
    const close = {
      actions: [{ session: 'demo/a', action: 'close', reason: 'idle', path: folder(), bytes: 0 }],
      counts: { actions: 1, close: 1, bytes: 0 },
    };
    expect(await gc('--dry-run')).toMatchObject({ dryRun: true, ...close });
    expect(await gc()).toMatchObject({ dryRun: false, ...close });
    expect((await cli(['session', 'list', '--json'])).stdout).not.toContain('demo/a');
    expect((await cli(['session', 'list', '--json', '--closed'])).stdout).toContain('demo/a');
    const listed = (await gc('--dry-run')) as { readonly counts: { readonly bytes: number } };
    expect(listed).toMatchObject({
      actions: [{ session: 'demo/a', action: 'delete', reason: 'closed', path: folder() }],
    });
    expect(listed.counts.bytes).toBeGreaterThan(0);
    expect(existsSync(folder())).toBe(true);
    expect(await gc()).toMatchObject({ counts: { delete: 1 } });
    expect(existsSync(folder())).toBe(false);
    expect((await cli(['session', 'show', 'demo/a'])).code).toBe(3);
  },
  TEST_MS,
);

it(
  'gc asks a daemon where one runs, prints for people, and refuses what it does not know',
  async () => {
    await cli(['session', 'create', 'demo/a'], {});
    const started = startCli(['start', '--runtime', 'process', '--data-dir', dataDir], {
      env: { ...WINDOWS, NIGHTPORTER_SESSION_DELETE_AFTER_MS: 'off', NIGHTPORTER_GC_INTERVAL_MS: '30d' },
    });
    daemon = started;
    await eventually('the daemon listens', () => existsSync(join(dataDir, 'nightporter.sock')), { timeoutMs: 25_000 });
    const dry = await cli(['gc', '--dry-run']);
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(dry.stdout).toBe(`demo/a close (idle) ${folder()}\n1 actions to take, 0 B\n`);
    expect((await cli(['gc'])).stdout).toBe(`demo/a close (idle) ${folder()}\n1 actions, 0 B\n`);
    expect((await cli(['gc', '--all'])).code).toBe(2);
    expect((await cli(['gc', '--help'])).stdout).toContain('nightporter gc --dry-run');
  },
  TEST_MS,
);

it(
  'gc: what fails holds up nothing else, and is told at the end, with exit 1',
  async () => {
    await cli(['session', 'create', 'demo/a']);
    const db = new Database(join(dataDir, 'registry.db'));
    db.pragma('foreign_keys = OFF');
    db.exec(
      "INSERT INTO conversations (channel, session, created_at, last_active_at) VALUES ('c', 'no address', 0, 0)",
    );
    db.close();
    const done = await cli(['gc']);
    expect(done.code).toBe(1);
    const [closed, failed, ...rest] = done.stdout.trim().split('\n');
    expect(closed).toBe(`demo/a close (idle) ${folder()}`);
    expect(failed).toMatch(
      /^expire-conversations failed, the rest of it is tried again: .*conversations\.session does not hold/,
    );
    expect(rest).toEqual(['1 actions, 0 B']);
  },
  TEST_MS,
);

it(
  'gc: exit 3 where there is no data, and none is made',
  async () => {
    rmSync(dataDir, { recursive: true });
    expect(await cli(['gc'])).toMatchObject({ code: 3 });
    expect(existsSync(dataDir)).toBe(false);
    mkdirSync(dataDir);
  },
  TEST_MS,
);

it(
  'L24: a window that is none is a warning, and the default holds; an unknown name is refused with the nearest',
  async () => {
    await cli(['session', 'create', 'demo/a']);
    const slip = await cli(['gc', '--json'], { NIGHTPORTER_SESSION_CLOSE_AFTER_MS: 'soon' });
    expect(JSON.parse(slip.stdout)).toMatchObject({ actions: [] });
    const check = await cli(['config', 'check'], { NIGHTPORTER_SESSION_CLOSE_AFTER_MS: 'soon' });
    expect(check.stdout + check.stderr).toMatch(
      /SESSION_CLOSE_AFTER_MS must be a duration .*found "soon"; the default, 1 d, is used/,
    );
    const unknown = await cli(['gc'], { NIGHTPORTER_SESION_CLOSE_AFTER_MS: '1' });
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('NIGHTPORTER_SESSION_CLOSE_AFTER_MS');
  },
  TEST_MS,
);
