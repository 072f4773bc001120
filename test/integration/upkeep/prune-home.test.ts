import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pruneHomes } from '../../../src/daemon/prune-home.js';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 24 * 3_600_000;
const A = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
const B = '1c7f4d2b-5e30-4b8c-8d9e-223344556677';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'np-home-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function put(path: string, ageDays: number): void {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x'.repeat(10));
  const atS = (NOW - ageDays * DAY) / 1000;
  utimesSync(file, atS, atS);
}

function prune(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const lines: string[] = [];
  const warnings: string[] = [];
  pruneHomes(['--home', home, ...args], {
    environment,
    nowMs: NOW,
    print: (line) => lines.push(line.replaceAll(`${home}/`, '')),
    warn: (line) => warnings.push(line),
  });
  return { summary: lines.pop(), lines: lines.sort(), warnings };
}

function list(text: string): string {
  const file = join(home, 'live.txt');
  writeFileSync(file, text);
  return file;
}

function fill(): void {
  put(`.claude/projects/-w/${A}.jsonl`, 100);
  put(`.claude/projects/-w/${A}/tool-results/1.txt`, 100);
  put(`.claude/projects/-w/${B}.jsonl`, 100);
  put(`.claude/debug/${B}.txt`, 100);
  put(`.claude/debug/${A}.txt`, 2);
  symlinkSync(`${A}.txt`, join(home, '.claude/debug/latest'));
  put('.claude/settings.json', 100);
}

it('L23: an older home is listed, and pruned only with --delete: the same paths', () => {
  fill();
  const live = list(`${A}\n`);
  const listed = prune(['--live', live]);
  expect(listed.lines).toEqual([`debug 10 .claude/debug/${B}.txt`, `transcript 10 .claude/projects/-w/${B}.jsonl`]);
  expect(listed.summary).toBe('2 paths, 20 bytes would be deleted (--delete does it); kept: 1 live, 1 recent');
  expect(prune(['--live', live, '--delete', '--dry-run']).lines).toEqual(listed.lines);
  expect(existsSync(join(home, `.claude/debug/${B}.txt`))).toBe(true);
  expect(prune(['--live', live, '--delete']).lines).toEqual(listed.lines);
  expect(existsSync(join(home, `.claude/debug/${B}.txt`))).toBe(false);
  expect(existsSync(join(home, `.claude/projects/-w/${A}/tool-results/1.txt`))).toBe(true);
  expect(prune(['--none-live', '--delete']).lines).toHaveLength(2);
  expect(existsSync(join(home, '.claude/settings.json'))).toBe(true);
});

it.each([
  ['lines', `${B}\n${A}\n`],
  ['JSON', JSON.stringify({ main: { id: A } })],
])('L23: live ids may come as %s', (_, text) => {
  put(`.claude/debug/${A}.txt`, 100);
  expect(prune(['--live', list(text), '--delete']).summary).toMatch(/^0 paths/);
});

it('L23: what a group logged goes too', () => {
  put('logs/container-1.log', 8);
  put('logs/container-2.log', 6);
  put('logs/notes.txt', 100);
  expect(prune(['--logs', join(home, 'logs'), '--none-live', '--delete']).lines).toEqual([
    'log 10 logs/container-1.log',
  ]);
});

it('L23: windows come from the environment; what is no number is the default', () => {
  fill();
  const name = 'NIGHTPORTER_RETENTION_DEBUG_DAYS';
  const debug = (value: string) => prune(['--none-live'], { [name]: value });
  expect(debug('0').lines.filter((line) => line.startsWith('debug'))).toEqual([]);
  expect(debug('1').lines.filter((line) => line.startsWith('debug'))).toHaveLength(2);
  const odd = debug('many');
  expect(odd.lines.filter((line) => line.startsWith('debug'))).toHaveLength(1);
  expect(odd.warnings).toHaveLength(1);
});

it.each<[string, (live: (text: string) => string) => readonly string[]]>([
  ['nobody says what lives', () => []],
  ['both are said', (live) => ['--none-live', '--live', live(A)]],
  ['the list is not there', () => ['--live', '/nonexistent/list']],
  ['the list is a folder', () => ['--live', '/']],
  ['the list is empty', (live) => ['--live', live('\n')]],
  ['the list is no list', (live) => ['--live', live('no id here')]],
  ['the list is a database', (live) => ['--live', live(`SQLite format 3\0\n${A}\n`)]],
  ['a folder is not there', () => ['--none-live', '--home', '/nonexistent/home']],
  ['an option is not known', () => ['--none-live', '--force']],
])('L23: nothing is deleted where %s', (_, more) => {
  fill();
  expect(() => prune(['--delete', ...more(list)])).toThrow();
  expect(existsSync(join(home, `.claude/debug/${B}.txt`))).toBe(true);
});
