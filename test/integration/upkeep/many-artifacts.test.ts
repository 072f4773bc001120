import { linkSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { rulesWithin } from '../../../src/core/retention/artifacts.js';
import type { ArtifactPart } from '../../../src/core/retention/artifacts.js';
import { memoryFolder } from '../../support/crash-bench.js';
import { isWholeSuite } from '../../support/whole-suite.js';
import { TestPorter, session } from '../../support/porter.js';

const DAY = 24 * 3_600_000;
const G = session('g/a');
const A = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
const TEST_MS = 120_000;
const LINKS_MAX = 30_000;
const NAMES_MAX = 50_000;

let porter: TestPorter | undefined;
afterEach(async () => {
  await porter?.close();
});

/** File workers with their deadline: what one of them cannot do in time is `busy`. */
async function open(): Promise<TestPorter> {
  porter = new TestPorter({ settings: { SESSION_CLOSE_AFTER_MS: 0 }, dataDir: memoryFolder() });
  await porter.files.create(G);
  porter.registry.createSession({
    ...{ address: G, createdAtMs: porter.clock.now() },
    ...{ provider: null, image: null, command: null },
  });
  porter.clock.advance(1_000 * DAY);
  return porter;
}

function folder(p: TestPorter, path: string): string {
  const made = join(p.paths('g/a').session, path);
  mkdirSync(made, { recursive: true });
  return made;
}

/** Old files, many of which share their bytes. */
function fill(place: string, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const first = join(place, `e${String(index - (index % LINKS_MAX))}`);
    if (index % LINKS_MAX !== 0) linkSync(first, join(place, `e${String(index)}`));
    else {
      writeFileSync(first, 'x');
      utimesSync(first, 1_000, 1_000);
    }
  }
}

async function gc(p: TestPorter, dryRun: boolean) {
  const { actions, kept } = await p.upkeep.collect({ dryRun });
  return { paths: actions.map(({ path }) => path).sort(), kept };
}

it('L23: a listing goes page by page, and finds each file once', { timeout: TEST_MS }, async () => {
  const p = await open();
  fill(folder(p, 'out/.claude/telemetry'), 25_000);
  const folders = rulesWithin({ home: ['out'] });
  const found: ArtifactPart[] = [];
  const from: number[] = [];
  for (let next: number | null = 0; next !== null;) {
    from.push(next);
    const page: Awaited<ReturnType<typeof p.files.artifacts>> = await p.files.artifacts(G, folders, next);
    if (page.kind !== 'ok') throw new Error(page.kind);
    expect(page.found.length).toBeLessThanOrEqual(10_000);
    found.push(...page.found);
    next = page.next;
  }
  expect(from.length).toBeGreaterThanOrEqual(3);
  expect(new Set(found.map(({ path }) => path)).size).toBe(25_000);
  expect(found).toHaveLength(25_000);
});

it.skipIf(!isWholeSuite)(
  'L23 (whole suite): a pass takes so many of too many files, exactly those that a dry run lists',
  { timeout: TEST_MS },
  async () => {
    const p = await open();
    const telemetry = folder(p, 'out/.claude/telemetry');
    fill(telemetry, NAMES_MAX + 5_000);
    const listed = await gc(p, true);
    expect(listed.paths).toHaveLength(NAMES_MAX);
    expect(listed.kept).toEqual({ too_many: 1 });
    expect(await gc(p, false)).toEqual(listed);
    expect(readdirSync(telemetry)).toHaveLength(5_000);
    expect((await gc(p, false)).paths).toHaveLength(5_000);
  },
);

it(
  'L23: tool results too many or too deep to be looked through are kept, and nothing else for them',
  { timeout: TEST_MS },
  async () => {
    const p = await open();
    const projects = 'out/.claude/projects/-workspace';
    const nth = (index: number): string => A.slice(0, -1) + String(index);
    fill(folder(p, `${projects}/${nth(1)}`), 12_000);
    let deep = folder(p, `${projects}/${nth(2)}`);
    for (let depth = 0; depth < 500; depth += 1) {
      deep = join(deep, 'd');
      mkdirSync(deep);
    }
    for (const index of [1, 2, 3]) {
      const file = join(folder(p, projects), `${nth(index)}.jsonl`);
      writeFileSync(file, 'x');
      utimesSync(file, 1_000, 1_000);
    }
    fill(folder(p, `${projects}/${nth(4)}`), 2_000);
    const third = join(p.paths('g/a').session, projects, `${nth(3)}.jsonl`);
    const fourth = join(p.paths('g/a').session, projects, nth(4));
    const expected = { paths: [third, fourth], kept: { too_large: 2 } };
    expect(await gc(p, true)).toEqual(expected);
    expect(await gc(p, false)).toEqual(expected);
    expect(readdirSync(join(p.paths('g/a').session, projects)).sort()).toEqual([
      ...[nth(1), `${nth(1)}.jsonl`],
      ...[nth(2), `${nth(2)}.jsonl`],
    ]);
  },
);
