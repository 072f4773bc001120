import Database from 'better-sqlite3';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { SessionFiles } from '../../../src/ports/session-files.js';
import { eventually } from '../../support/eventually.js';
import { TestPorter, session } from '../../support/porter.js';
import type { PorterOptions } from '../../support/porter.js';

const DAY = 24 * 3_600_000;
const G = session('g/a');
const A = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
const B = '1c7f4d2b-5e30-4b8c-8d9e-223344556677';
const PROJECT = 'out/.claude/projects/-workspace';
const RUN = 'host/run/np-g-a.0123456789abcdef';
const KEPT = { SESSION_CLOSE_AFTER_MS: 0 };

let porter: TestPorter;
let outside: string | undefined;

async function open(options: PorterOptions = {}): Promise<TestPorter> {
  porter = new TestPorter({ files: 'in_process', ...options, settings: { ...KEPT, ...options.settings } });
  await make(porter, 'g/a');
  return porter;
}

afterEach(async () => {
  await porter.close();
  if (outside !== undefined) rmSync(outside, { recursive: true });
  outside = undefined;
});

async function make(p: TestPorter, text: string): Promise<void> {
  await p.files.create(session(text));
  p.registry.createSession({
    ...{ address: session(text), createdAtMs: p.clock.now() },
    ...{ provider: null, image: null, command: null },
  });
}

const place = (p: TestPorter, path: string): string => join(p.paths('g/a').session, path);

/** A file in the session's folder, last written at the clock's time. */
function put(p: TestPorter, path: string, bytes = 10): void {
  const file = place(p, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x'.repeat(bytes));
  age(p, path);
}

function age(p: TestPorter, path: string): void {
  const atS = p.clock.now() / 1000;
  utimesSync(place(p, path), atS, atS);
}

function remember(p: TestPorter, value: string): void {
  p.write('g/a', 'INSERT OR REPLACE INTO session_state (key, value, updated_at) VALUES (?, ?, ?)', 'k', value, '');
}

const lives = (p: TestPorter, id: string): void => {
  remember(p, JSON.stringify({ id, last_used_at: new Date(p.clock.now()).toISOString() }));
};

const isThere = (p: TestPorter, path: string): boolean =>
  lstatSync(place(p, path), { throwIfNoEntry: false }) !== undefined;

async function gc(p: TestPorter, dryRun = false) {
  const { actions, kept } = await p.upkeep.collect({ dryRun });
  const above = `${p.paths('g/a').session}/`;
  const pruned = actions
    .filter(({ action }) => action === 'prune_artifact')
    .map(({ reason, path, bytes }) => `${reason} ${String(path).replace(above, '')} ${String(bytes)}`);
  return { pruned: pruned.sort(), kept };
}

const all = { transcript: `${PROJECT}/${A}.jsonl`, debug: `out/.claude/debug/${A}.txt` };

describe('each type after its own time', () => {
  it.each([
    ['transcript', 7, all.transcript, 'RETENTION_TRANSCRIPTS_DAYS'],
    ['debug', 3, all.debug, 'RETENTION_DEBUG_DAYS'],
    ['todo', 3, `out/.claude/todos/${A}-agent-${B}.json`, 'RETENTION_TODOS_DAYS'],
    ['telemetry', 7, `out/.claude/telemetry/1p_failed_events.${A}.${B}.json`, 'RETENTION_TELEMETRY_DAYS'],
    ['telemetry', 7, 'out/.claude/statsig/statsig.stable_id.1', 'RETENTION_TELEMETRY_DAYS'],
    ['log', 7, `${RUN}/output.log`, 'RETENTION_LOGS_DAYS'],
  ])('L23: %s, %i days: %s', async (type, days, path, setting) => {
    const p = await open({ settings: { [setting]: days } });
    put(p, path);
    p.clock.advance(days * DAY - 1);
    expect((await gc(p)).pruned).toEqual([]);
    p.clock.advance(1);
    expect((await gc(p)).pruned).toEqual([]);
    p.clock.advance(1);
    const whole = type === 'log' ? RUN : path;
    expect((await gc(p, true)).pruned).toEqual([`${type} ${whole} 10`]);
    expect(isThere(p, path)).toBe(true);
    expect((await gc(p)).pruned).toEqual([`${type} ${whole} 10`]);
    expect(isThere(p, whole)).toBe(false);
    expect(await gc(p)).toEqual({ pruned: [], kept: {} });
  });

  it.each([
    ['0', []],
    [0, []],
    [-3, []],
    ['-1', []],
    ['soon', [`debug ${all.debug} 10`]],
    ['1', [`debug ${all.debug} 10`]],
  ])('L23: a setting of %j', async (setting, pruned) => {
    const p = await open({ settings: { RETENTION_DEBUG_DAYS: setting } });
    put(p, all.debug);
    p.clock.advance(3 * DAY + 1);
    expect((await gc(p)).pruned).toEqual(pruned);
    p.clock.advance(10_000 * DAY);
    expect((await gc(p)).pruned).toEqual([]);
  });

  it('L23: a group may have its own', async () => {
    const p = await open();
    put(p, all.debug);
    const own = { ...p.settings, retentionDebugDays: 0 };
    (p.settings.groups as Map<string, unknown>).set('g', own);
    p.clock.advance(100 * DAY);
    expect((await gc(p)).pruned).toEqual([]);
  });

  it('L23: written in the future counts as now', async () => {
    const p = await open();
    put(p, all.debug);
    p.clock.jump(-1_000 * DAY);
    expect((await gc(p)).pruned).toEqual([]);
  });

  it('L23: the first pass is 30 s after the start, then there is one every day', async () => {
    const p = await open();
    put(p, all.debug);
    p.clock.advance(4 * DAY);
    p.upkeep.start();
    p.clock.advance(29_999);
    await gc(p, true);
    expect(isThere(p, all.debug)).toBe(true);
    p.clock.advance(1);
    await eventually('the first pass', () => !isThere(p, all.debug));
    // Waits for the pass that is under way.
    await gc(p, true);
    put(p, all.debug);
    utimesSync(place(p, all.debug), 0, 0);
    p.clock.advance(DAY - 1);
    await gc(p, true);
    expect(isThere(p, all.debug)).toBe(true);
    p.clock.advance(1);
    await eventually('a second pass', () => !isThere(p, all.debug));
  });
});

describe('what belongs together', () => {
  it('L23: a transcript goes with its tool results, after the newest write inside either', async () => {
    const p = await open();
    put(p, `${PROJECT}/${A}.jsonl`, 100);
    p.clock.advance(2 * DAY);
    put(p, `${PROJECT}/${A}/tool-results/1.txt`, 20);
    put(p, `${PROJECT}/${A}/subagents/agent-1.jsonl`, 3);
    put(p, `${PROJECT}/memory/MEMORY.md`);
    p.clock.advance(7 * DAY);
    expect((await gc(p)).pruned).toEqual([]);
    p.clock.advance(1);
    const both = [`transcript ${PROJECT}/${A} 23`, `transcript ${PROJECT}/${A}.jsonl 100`];
    expect((await gc(p, true)).pruned).toEqual(both);
    expect((await gc(p)).pruned).toEqual(both);
    expect(readdirSync(place(p, PROJECT))).toEqual(['memory']);
  });

  it('L23: tool results whose transcript is gone, as a crash leaves them, go too', async () => {
    const p = await open();
    put(p, `${PROJECT}/${A}/tool-results/1.txt`);
    p.clock.advance(7 * DAY + 1);
    expect((await gc(p)).pruned).toEqual([`transcript ${PROJECT}/${A} 10`]);
  });
});

describe('what lives', () => {
  it.each([
    ['JSON', (id: string) => JSON.stringify({ id, last_used_at: '2026-01-01T00:00:00.000Z' })],
    ['a bare text', (id: string) => id],
  ])('L23: nothing of a live id is deleted, by the exact id, stored as %s', async (_, stored) => {
    const p = await open();
    const other = `${A.slice(0, -1)}7`;
    for (const id of [A, other]) {
      put(p, `${PROJECT}/${id}.jsonl`);
      put(p, `out/.claude/debug/${id}.txt`);
      put(p, `out/.claude/todos/${id}-agent-${id}.json`);
      put(p, `out/.claude/telemetry/1p_failed_events.${id}.${B}.json`);
    }
    remember(p, stored(A));
    p.clock.advance(100 * DAY);
    const listed = await gc(p, true);
    const { pruned, kept } = await gc(p);
    expect(listed).toEqual({ pruned, kept });
    expect(pruned).toHaveLength(4);
    expect(pruned.every((line) => line.includes(other) && !line.includes(A))).toBe(true);
    expect(kept).toEqual({ live: 4 });
    remember(p, stored(A.slice(0, 8)));
    expect((await gc(p)).pruned).toHaveLength(4);
  });

  it('L23: `latest` stays, link or file, and what is not known is left alone', async () => {
    const p = await open();
    put(p, all.debug);
    mkdirSync(place(p, 'out/.claude/debug'), { recursive: true });
    symlinkSync(`${A}.txt`, place(p, 'out/.claude/debug/latest'));
    for (const name of [
      'settings.json',
      'history.jsonl',
      'projects/x.jsonl',
      'todos/latest',
      'telemetry/latest',
      'debug/x.txt',
    ]) {
      put(p, `out/.claude/${name}`);
    }
    put(p, 'host/run/notes');
    p.clock.advance(100 * DAY);
    expect(await gc(p)).toEqual({ pruned: [`debug ${all.debug} 10`], kept: {} });
    expect(isThere(p, 'out/.claude/debug/latest')).toBe(true);
  });

  it('L23: under a running container old files go, what is live or new stays, and no log of a container goes', async () => {
    const p = await open({
      settings: { IDLE_TIMEOUT_MS: '30d', ABSOLUTE_CEILING_MS: '30d', STALE_THRESHOLD_MS: '30d' },
    });
    put(p, `${PROJECT}/${A}.jsonl`);
    put(p, `${PROJECT}/${B}.jsonl`);
    put(p, `${RUN}/output.log`);
    lives(p, A);
    p.clock.advance(10 * DAY);
    put(p, all.debug);
    p.send('g/a', 'm1');
    await p.round();
    expect(p.running()).toEqual(['g/a']);
    expect(await gc(p)).toEqual({ pruned: [`transcript ${PROJECT}/${B}.jsonl 10`], kept: { live: 1, container: 1 } });
    p.runtime.engine('down');
    put(p, `${PROJECT}/${B}.jsonl`);
    utimesSync(place(p, `${PROJECT}/${B}.jsonl`), 0, 0);
    expect(await gc(p)).toEqual({ pruned: [], kept: { runtime_unknown: 1 } });
    expect(isThere(p, `${PROJECT}/${B}.jsonl`)).toBe(true);
  });

  it('L23: what the last container printed stays, that of the ones before goes', async () => {
    const p = await open();
    p.send('g/a', 'm1');
    await p.round();
    p.ack('g/a', 'm1', 'completed');
    await p.look('g/a');
    p.runtime.exit(G, { exitCode: 0 });
    await p.look('g/a');
    const db = new Database(p.registry.file);
    db.prepare('UPDATE incarnations SET container_id = ?').run('np-g-a.00000000000000aa');
    db.close();
    put(p, `host/run/np-g-a.00000000000000aa/output.log`);
    put(p, `${RUN}/output.log`);
    p.clock.advance(20 * DAY);
    expect(await gc(p)).toEqual({ pruned: [`log ${RUN} 10`], kept: { container: 1 } });
  });

  it.each(['pinned', 'suspended', 'quarantined'] as const)('L5, L23: of a %s session nothing goes', async (state) => {
    const p = await open();
    put(p, all.debug);
    if (state === 'pinned') p.registry.setPinned(G, true);
    else if (state === 'suspended') p.registry.setStatus(G, 'suspended', p.clock.now(), null);
    else p.registry.setQuarantine(G, { file: 'outbound.db', detail: 'is a link', sinceMs: p.clock.now() });
    symlinkSync(tmpdir(), place(p, 'out/.claude/telemetry'));
    p.clock.advance(1_000 * DAY);
    expect(await gc(p)).toEqual({ pruned: [], kept: {} });
  });
});

describe('where it cannot be told what lives, nothing goes', () => {
  const spoil: readonly (readonly [string, (p: TestPorter) => void])[] = [
    [
      'damaged',
      (p) => {
        writeFileSync(p.paths('g/a').outbound, 'no database at all, and never was one'.repeat(200));
      },
    ],
    [
      'gone',
      (p) => {
        rmSync(p.paths('g/a').outbound);
      },
    ],
    [
      'empty',
      (p) => {
        writeFileSync(p.paths('g/a').outbound, '');
      },
    ],
    [
      'a link',
      (p) => {
        rmSync(p.paths('g/a').outbound);
        symlinkSync('/etc/hostname', p.paths('g/a').outbound);
      },
    ],
    [
      'without its table',
      (p) => {
        p.write('g/a', 'DROP TABLE session_state');
      },
    ],
    [
      'with too long a value',
      (p) => {
        remember(p, 'x'.repeat(70_000));
      },
    ],
    [
      'with too many values',
      (p) => {
        p.write(
          'g/a',
          `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
        INSERT INTO session_state SELECT 'k' || i, 'v', '' FROM n`,
        );
      },
    ],
  ];
  it.each(spoil)('L23: outbound.db is %s', async (_, spoilIt) => {
    const p = await open();
    put(p, all.debug);
    spoilIt(p);
    p.clock.advance(100 * DAY);
    for (const dryRun of [true, false]) {
      expect(await gc(p, dryRun)).toEqual({ pruned: [], kept: { files_unreadable: 1 } });
    }
    expect(isThere(p, all.debug)).toBe(true);
  });

  it('L23: outbound.db is locked', async () => {
    const p = await open();
    put(p, all.debug);
    p.clock.advance(100 * DAY);
    const writer = new Database(p.paths('g/a').outbound);
    writer.exec('BEGIN EXCLUSIVE');
    expect(await gc(p)).toEqual({ pruned: [], kept: { files_unreadable: 1 } });
    writer.close();
    expect((await gc(p)).pruned).toEqual([`debug ${all.debug} 10`]);
  });

  it('L23: the registry does not say which containers there are; the next session is served all the same', async () => {
    let isBroken = true;
    const p = await open({
      ports: (ports) => ({
        ...ports,
        registry: new Proxy(ports.registry, {
          get(target, name) {
            if (name === 'incarnations' && isBroken)
              return () => {
                isBroken = false;
                throw new Error('disk I/O error');
              };
            const found: unknown = Reflect.get(target, name, target);
            return typeof found === 'function' ? (found.bind(target) as unknown) : found;
          },
        }),
      }),
    });
    put(p, all.debug);
    await make(p, 'g/b');
    const other = p.paths('g/b').session;
    mkdirSync(join(other, 'out/.claude/debug'), { recursive: true });
    renameSync(place(p, all.debug), join(other, all.debug));
    put(p, all.debug);
    p.clock.advance(100 * DAY);
    expect(await gc(p)).toEqual({ pruned: [`debug ${join(other, all.debug)} 10`], kept: { failed: 1 } });
    expect((await gc(p)).pruned).toEqual([`debug ${all.debug} 10`]);
  });
});

describe('what a container does meanwhile', () => {
  /** Something happens right before a call: of the one that deletes what was judged. */
  const meanwhile = (happens: () => void, call: keyof SessionFiles = 'removeArtifacts'): PorterOptions => ({
    ports: (ports) => ({
      ...ports,
      files: new Proxy(ports.files, {
        get(target: SessionFiles, name) {
          if (name === call) happens();
          const found: unknown = Reflect.get(target, name, target);
          return typeof found === 'function' ? (found.bind(target) as unknown) : found;
        },
      }),
    }),
  });

  it.each<[string, (p: TestPorter) => void, object]>([
    [
      'writes to it',
      (p) => {
        put(p, all.transcript);
      },
      { changed: 1 },
    ],
    [
      'writes a tool result beside it',
      (p) => {
        put(p, `${PROJECT}/${A}/tool-results/1.txt`);
      },
      { changed: 1 },
    ],
    [
      'resumes it',
      (p) => {
        lives(p, A);
      },
      { live: 1 },
    ],
    [
      'puts a link in the place of its folder',
      (p) => {
        rmSync(place(p, PROJECT), { recursive: true });
        outside = mkdtempSync(join(tmpdir(), 'np-outside-'));
        writeFileSync(join(outside, `${A}.jsonl`), 'x'.repeat(10));
        utimesSync(join(outside, `${A}.jsonl`), 1_000, 1_000);
        symlinkSync(outside, place(p, PROJECT));
      },
      { changed: 1 },
    ],
    [
      'damages outbound.db',
      (p) => {
        writeFileSync(p.paths('g/a').outbound, 'nothing'.repeat(1_000));
      },
      { files_unreadable: 1 },
    ],
  ])('L9, L23: it %s: kept', async (_, happens, kept) => {
    const p = await open(
      meanwhile(() => {
        happens(porter);
      }),
    );
    put(p, all.transcript);
    utimesSync(place(p, all.transcript), 1_000, 1_000);
    p.clock.advance(10 * DAY);
    expect(await gc(p)).toEqual({ pruned: [], kept });
    expect(existsSync(place(p, all.transcript))).toBe(true);
  });

  it('L5, L9, L23: pinned after it was found: kept', async () => {
    const p = await open(
      meanwhile(() => {
        porter.registry.setPinned(G, true);
      }, 'artifacts'),
    );
    put(p, all.debug);
    p.clock.advance(10 * DAY);
    expect((await gc(p)).pruned).toEqual([]);
    expect(isThere(p, all.debug)).toBe(true);
  });

  it.each([
    ['out/.claude', `projects/-workspace/${A}.jsonl`],
    ['out/.claude/projects', `-workspace/${A}.jsonl`],
    [PROJECT, `${A}.jsonl`],
    [`${PROJECT}/${A}`, 'tool-results/1.txt'],
    [RUN, 'output.log'],
  ])('L23: a link in the place of %s is not followed', async (path, within) => {
    const p = await open();
    outside = mkdtempSync(join(tmpdir(), 'np-outside-'));
    const file = join(outside, within);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'precious');
    utimesSync(file, 1_000, 1_000);
    mkdirSync(dirname(place(p, path)), { recursive: true });
    symlinkSync(outside, place(p, path));
    p.clock.advance(100 * DAY);
    expect(await gc(p)).toEqual({ pruned: [], kept: { link: 1 } });
    expect(existsSync(file)).toBe(true);
    expect(isThere(p, path)).toBe(true);
  });

  it('L23: a link inside a folder is deleted as a link', async () => {
    const p = await open();
    outside = mkdtempSync(join(tmpdir(), 'np-outside-'));
    writeFileSync(join(outside, 'precious'), 'x');
    put(p, `${PROJECT}/${A}/1.txt`);
    symlinkSync(outside, place(p, `${PROJECT}/${A}/out`));
    p.clock.jump(Date.now() - p.clock.now() + 8 * DAY);
    expect((await gc(p)).pruned).toHaveLength(1);
    expect(isThere(p, `${PROJECT}/${A}`)).toBe(false);
    expect(existsSync(join(outside, 'precious'))).toBe(true);
  });
});
