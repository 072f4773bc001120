import Database from 'better-sqlite3';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
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
import {
  A,
  DAY,
  G,
  PROJECT,
  RUN,
  all,
  gc,
  isThere,
  lives,
  make,
  openWithSession,
  place,
  put,
  remember,
} from '../../support/artifacts.js';
import type { PorterOptions, TestPorter } from '../../support/porter.js';

let porter: TestPorter;
let outside: string | undefined;

async function open(options: PorterOptions = {}): Promise<TestPorter> {
  porter = await openWithSession(options);
  return porter;
}

afterEach(async () => {
  await porter.close();
  if (outside !== undefined) rmSync(outside, { recursive: true });
  outside = undefined;
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
