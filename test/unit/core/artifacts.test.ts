import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ARTIFACT_RULES,
  classifyPath,
  gatherArtifacts,
  judgeArtifact,
  newestWrite,
  rulesWithin,
} from '../../../src/core/retention/artifacts.js';
import type { Artifact, ArtifactPart, ArtifactRule, ArtifactType } from '../../../src/core/retention/artifacts.js';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 24 * 3_600_000;
const WINDOWS = { transcript: 7 * DAY, debug: 3 * DAY, todo: 3 * DAY, telemetry: 7 * DAY, log: 7 * DAY };
// Called in tests alone: docs/mutation.md.
const rules = (): readonly ArtifactRule[] => rulesWithin({ home: ['out'], host: ['host'] });
const A = '0b6e3c1a-4d2f-4a7b-9c8d-112233445566';
const B = '1c7f4d2b-5e30-4b8c-8d9e-223344556677';
const PROJECT = 'out/.claude/projects/-workspace';
const PATHS: Readonly<Record<ArtifactType, string>> = {
  transcript: `${PROJECT}/${A}.jsonl`,
  debug: `out/.claude/debug/${A}.txt`,
  todo: `out/.claude/todos/${A}-agent-${B}.json`,
  telemetry: `out/.claude/telemetry/1p_failed_events.${A}.${B}.json`,
  log: 'host/run/np-g-a.0123456789abcdef',
};
const TYPES = Object.keys(PATHS) as ArtifactType[];

const part = (path: string, ageMs: number, more: Partial<ArtifactPart> = {}): ArtifactPart => ({
  ...{ path, kind: 'file', bytes: 10, newestMs: NOW - ageMs },
  ...more,
});

function only(...parts: readonly ArtifactPart[]): Artifact {
  const [artifact, ...others] = gatherArtifacts(parts, rules()).artifacts;
  if (artifact === undefined || others.length > 0) throw new Error('not one artifact');
  return artifact;
}

function judge(artifact: Artifact, live: readonly string[] = [], windows = WINDOWS): string {
  const verdict = judgeArtifact(artifact, windows, new Set(live), NOW);
  return verdict.kind === 'keep' ? verdict.reason : verdict.kind;
}

describe('what a path stands for', () => {
  it.each<[string, string, readonly string[] | 'unsaid']>([
    [PATHS.transcript, 'transcript', [A]],
    [`${PROJECT}/${A}`, 'transcript', [A]],
    [`${PROJECT}/agent-ab12cd34.jsonl`, 'transcript', 'unsaid'],
    [PATHS.debug, 'debug', [A]],
    [PATHS.todo, 'todo', [A, B]],
    [PATHS.telemetry, 'telemetry', [A, B]],
    ['out/.claude/statsig/statsig.stable_id.12345', 'telemetry', []],
    ['out/.claude/telemetry/two\nlines', 'telemetry', []],
    [PATHS.log, 'log', ['np-g-a.0123456789abcdef']],
  ])('L23: %s', (path, type, owners) => {
    expect(classifyPath(path, rules())).toMatchObject({ type, owners });
  });

  it.each([
    'out/.claude/debug/latest',
    'out/.claude/telemetry/latest',
    'out/.claude/statsig/latest',
    `out/.claude/debug/latest.txt`,
    `${PROJECT}/memory`,
    `${PROJECT}/memory/MEMORY.md`,
    `${PROJECT}/x${A}.jsonl`,
    `${PROJECT}/${A}.jsonl.bak`,
    `${PROJECT}/${A}.jsonl\n`,
    `${PROJECT}/${A}/tool-results/1.txt`,
    `out/.claude/projects/${A}.jsonl`,
    `out/.claude/projects/../${A}.jsonl`,
    `out/.claude/projects/./${A}.jsonl`,
    `out/.claude/projects//${A}.jsonl`,
    `out/projects/-workspace/${A}.jsonl`,
    `.claude/debug/${A}.txt`,
    'out/.claude/settings.json',
    'out/.claude/.credentials.json',
    'out/.claude/history.jsonl',
    'out/outbound.db',
    'in/inbound.db',
    'host/run',
    'host/run/notes',
    '',
  ])('L23: nothing that is ever deleted: %j', (path) => {
    expect(classifyPath(path, rules())).toBeUndefined();
  });

  it('L23: whatever the path, it is at the place of a rule', () => {
    const piece = fc.constantFrom(
      'out',
      '.claude',
      'projects',
      'debug',
      'todos',
      '-w',
      A,
      `${A}.jsonl`,
      'latest',
      '..',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const found = classifyPath(pieces.join('/'), rules());
        if (found === undefined) return;
        const above = pieces.slice(0, -1).join('/');
        expect(above).toMatch(/^out\/\.claude\/(projects\/(?!\.\.$)[^/]+|debug|todos|telemetry|statsig)$/);
        expect(pieces.at(-1)).not.toBe('latest');
      }),
    );
  });

  it.each([PATHS.debug, PATHS.todo, PATHS.telemetry, PATHS.log, `${PROJECT}/agent-ab12cd34.jsonl`])(
    'L23: %s belongs to nothing else',
    (path) => {
      expect(classifyPath(path, rules())?.paths).toEqual([path]);
    },
  );

  it('L23: the whole table', () => {
    const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
    const table = ARTIFACT_RULES.map(({ type, place, folder, is, owner, name }) =>
      [type, place, folder.join('/'), is, owner, name].join(' '),
    );
    expect(table).toEqual([
      `transcript home .claude/projects/* file named ^${uuid}\\.jsonl$`,
      `transcript home .claude/projects/* folder named ^${uuid}$`,
      'transcript home .claude/projects/* file unsaid ^agent-[0-9a-f]{1,32}\\.jsonl$',
      `debug home .claude/debug file named ^${uuid}\\.(?:txt|log)$`,
      `todo home .claude/todos file named ^${uuid}-agent-${uuid}\\.json$`,
      'telemetry home .claude/telemetry file named ^(?!latest$).+$',
      'telemetry home .claude/statsig file named ^(?!latest$).+$',
      'log host run folder itself ^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\\.[0-9a-f]{16}$',
      'log logs  file named ^.+\\.log$',
    ]);
  });

  it('L23: logs of an older installation lie at the root of their place', () => {
    const within = rulesWithin({ logs: [] });
    const log = { type: 'log', owners: [], paths: ['run.log'] };
    expect(classifyPath('run.log', within)).toEqual(log);
    for (const path of ['below/run.log', '/run.log', 'run.txt', '.log']) {
      expect(classifyPath(path, within), path).toBeUndefined();
    }
  });

  it('L23: a place that is not there has no rules', () => {
    expect(rulesWithin({})).toEqual([]);
    expect(new Set(rulesWithin({ logs: ['x'] }).map(({ type }) => type))).toEqual(new Set(['log']));
    expect(rulesWithin({ home: [], host: [], logs: [] })).toEqual(ARTIFACT_RULES);
  });
});

describe('age', () => {
  it.each(TYPES)('L23: %s: exactly at its threshold it survives, a millisecond later it goes', (type) => {
    const windowMs = WINDOWS[type];
    const judgeAt = (ageMs: number): string => judge(only(part(PATHS[type], ageMs)));
    expect([windowMs - 1, windowMs, windowMs + 1].map(judgeAt)).toEqual(['recent', 'recent', 'delete']);
  });

  it.each(TYPES)('L23: %s: 0 keeps for ever, and only its own window counts', (type) => {
    const old = only(part(PATHS[type], 10_000 * DAY));
    expect(judge(old, [], { ...WINDOWS, [type]: 0 })).toBe('recent');
    const none = { transcript: 0, debug: 0, todo: 0, telemetry: 0, log: 0 };
    expect(judge(old, [], { ...none, [type]: DAY })).toBe('delete');
  });

  it('L23: a time in the future counts as now', () => {
    expect(judge(only(part(PATHS.debug, -1_000 * DAY)))).toBe('recent');
  });

  it.each([
    [8, 8, 'delete'],
    [8, 6, 'recent'],
    [6, 8, 'recent'],
  ])('L23: a transcript goes together with its tool results: %i and %i days old', (own, results, verdict) => {
    const together = [
      part(`${PROJECT}/${A}.jsonl`, own * DAY),
      part(`${PROJECT}/${A}`, results * DAY, { kind: 'folder' }),
    ];
    for (const parts of [together, [...together].reverse()]) {
      const artifact = only(...parts);
      expect(artifact.paths).toEqual([`${PROJECT}/${A}.jsonl`, `${PROJECT}/${A}`]);
      expect(newestWrite(artifact)).toBe(NOW - Math.min(own, results) * DAY);
      expect(judge(artifact)).toBe(verdict);
    }
  });

  it('L23: the same name in two projects are two transcripts', () => {
    const parts = [part(PATHS.transcript, 8 * DAY), part(`out/.claude/projects/other/${A}`, 8 * DAY)];
    expect(gatherArtifacts(parts, rules()).artifacts).toHaveLength(2);
  });

  it('L23: what was found twice counts once', () => {
    expect(only(part(PATHS.debug, 8 * DAY), part(PATHS.debug, 8 * DAY)).parts).toHaveLength(1);
  });
});

describe('what lives', () => {
  it.each(['transcript', 'debug', 'todo', 'telemetry'] as const)(
    'L23: %s of a live id stays, by the exact id',
    (type) => {
      const old = only(part(PATHS[type], 1_000 * DAY));
      expect(judge(old, [A])).toBe('live');
      const others = [A.slice(0, -1), A.slice(1), `${A}0`, `x${A}`, `${A}.jsonl`, A.toUpperCase(), '', A.slice(0, 8)];
      expect(judge(old, others)).toBe('delete');
    },
  );

  it('L23: of two ids in a name either keeps it', () => {
    expect(judge(only(part(PATHS.todo, 1_000 * DAY)), [B])).toBe('live');
  });

  it('L23: an id that runs on is another id', () => {
    const path = `out/.claude/telemetry/events-${A}0.json`;
    expect(judge(only(part(path, 1_000 * DAY)), [A])).toBe('delete');
  });

  it('L23: what does not say whose it is stays while any id lives', () => {
    const old = only(part(`${PROJECT}/agent-ab12cd34.jsonl`, 1_000 * DAY));
    expect(judge(old, [B])).toBe('live');
    expect(judge(old)).toBe('delete');
  });

  it('L23: an artifact of a live id never goes, whatever its type, age and windows', () => {
    const days = fc.integer({ min: -10, max: 50_000 });
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), days, days, fc.boolean(), (type, ageDays, windowDays, live) => {
        const artifact = only(part(PATHS[type], ageDays * DAY));
        const windows = { ...WINDOWS, [type]: windowDays * DAY };
        const [owner = ''] = artifact.owners as readonly string[];
        const verdict = judge(artifact, live ? [owner] : [B.replace('1', '2')], windows);
        const isOld = windowDays > 0 && ageDays > windowDays;
        expect(verdict === 'delete').toBe(isOld && !live);
      }),
    );
  });
});

describe('what is not as it should be', () => {
  it.each([
    ['link', 'link'],
    ['other', 'link'],
    ['too_large', 'too_large'],
  ] as const)('L23: %s stays, and what belongs to it', (kind, reason) => {
    const parts = [part(`${PROJECT}/${A}.jsonl`, 100 * DAY), part(`${PROJECT}/${A}`, 100 * DAY, { kind })];
    expect(judge(only(...parts))).toBe(reason);
  });

  it('L23: a link in the place of a folder is counted', () => {
    const parts = [part('out/.claude', 0, { kind: 'link' }), part('out/.claude', 0, { kind: 'link' })];
    expect(gatherArtifacts(parts, rules())).toEqual({ artifacts: [], links: 1 });
    expect(gatherArtifacts([part('out/.claude', 0)], rules())).toEqual({ artifacts: [], links: 0 });
  });
});
