import Database from 'better-sqlite3';
import { mkdirSync, readdirSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import {
  A,
  B,
  DAY,
  G,
  PROJECT,
  RUN,
  all,
  gc,
  isThere,
  lives,
  openWithSession,
  place,
  put,
  remember,
} from '../../support/artifacts.js';
import { eventually } from '../../support/eventually.js';
import type { PorterOptions, TestPorter } from '../../support/porter.js';

let porter: TestPorter;

async function open(options: PorterOptions = {}): Promise<TestPorter> {
  porter = await openWithSession(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
});

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
