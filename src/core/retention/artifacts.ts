/** What agents and containers leave behind, by how long it is kept. */
export type ArtifactType = 'transcript' | 'debug' | 'todo' | 'telemetry' | 'log';

/** How long each type is kept; milliseconds, 0: for ever. */
export type ArtifactWindows = Readonly<Record<ArtifactType, number>>;

/** Where rules begin: the home of an agent, what the host keeps of containers, a folder with logs of an older installation. */
export type ArtifactPlace = 'home' | 'host' | 'logs';

/** One folder that is looked into; plain data, so that a file worker can be told. */
export interface ArtifactFolder {
  /** One part each; `*` is any one. */
  readonly folder: readonly string[];
  /** A regular expression: what in the folder is an artifact. */
  readonly name: string;
  readonly is: 'file' | 'folder';
}

export interface ArtifactRule extends ArtifactFolder {
  readonly type: ArtifactType;
  readonly place: ArtifactPlace;
  /**
   * Whose it is. `named`: of the ids in its name, of nobody without one. `itself`: its whole name is the id. `unsaid`: of
   * some session, and its name does not say which.
   */
  readonly owner: 'named' | 'itself' | 'unsaid';
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const CLAUDE = '.claude';
const PROJECT = [CLAUDE, 'projects', '*'];
const TRANSCRIPT_SUFFIX = '.jsonl';
const ANY_BUT_LATEST = '^(?!latest$).+$';

/** What is not in this table is left alone, `latest` everywhere. More of it: docs/artifacts.md. */
export const ARTIFACT_RULES: readonly ArtifactRule[] = [
  transcript({ name: `^${UUID}\\.jsonl$`, is: 'file', owner: 'named' }),
  transcript({ name: `^${UUID}$`, is: 'folder', owner: 'named' }),
  transcript({ name: '^agent-[0-9a-f]{1,32}\\.jsonl$', is: 'file', owner: 'unsaid' }),
  inClaude('debug', 'debug', `^${UUID}\\.(?:txt|log)$`),
  inClaude('todo', 'todos', `^${UUID}-agent-${UUID}\\.json$`),
  inClaude('telemetry', 'telemetry', ANY_BUT_LATEST),
  inClaude('telemetry', 'statsig', ANY_BUT_LATEST),
  {
    ...{ type: 'log', place: 'host', folder: ['run'], is: 'folder', owner: 'itself' },
    name: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\\.[0-9a-f]{16}$',
  },
  { type: 'log', place: 'logs', folder: [], name: '^.+\\.log$', is: 'file', owner: 'named' },
];

function transcript(rule: Pick<ArtifactRule, 'name' | 'is' | 'owner'>): ArtifactRule {
  return { ...rule, type: 'transcript', place: 'home', folder: PROJECT };
}

function inClaude(type: ArtifactType, folder: string, name: string): ArtifactRule {
  return { type, place: 'home', folder: [CLAUDE, folder], name, is: 'file', owner: 'named' };
}

/** The rules of some places, their folders counted from one root. */
export function rulesWithin(
  places: Readonly<Partial<Record<ArtifactPlace, readonly string[]>>>,
): readonly ArtifactRule[] {
  return ARTIFACT_RULES.flatMap((rule) => {
    const above = places[rule.place];
    return above === undefined ? [] : [{ ...rule, folder: [...above, ...rule.folder] }];
  });
}

/** One file or folder as it was found. */
export interface ArtifactPart {
  /** From the root on, parts joined by `/`. */
  readonly path: string;
  /** `too_large`: a folder with too much in it, or too deep, to say more of it. */
  readonly kind: 'file' | 'folder' | 'link' | 'other' | 'too_large';
  readonly bytes: number;
  /** The newest write to any file in it, epoch milliseconds, rounded up; of a folder without files its own. */
  readonly newestMs: number;
}

/** What stays or goes as one. */
export interface Artifact {
  readonly type: ArtifactType;
  /** Ids, one of which it is of; `unsaid`: of whoever. */
  readonly owners: readonly string[] | 'unsaid';
  readonly parts: readonly ArtifactPart[];
  /** Of all that belongs to it, there or not. */
  readonly paths: readonly string[];
}

export type Classified = Omit<Artifact, 'parts'>;

/** What a path stands for; undefined: nothing that is ever deleted. */
export function classifyPath(path: string, rules: readonly ArtifactRule[]): Classified | undefined {
  const at = path.lastIndexOf('/');
  const name = path.slice(at + 1);
  const parts = at < 0 ? [] : path.slice(0, at).split('/');
  const rule = rules.find(
    ({ folder, name: pattern }) => isWithin(parts, folder) && new RegExp(pattern, 's').test(name),
  );
  if (rule === undefined) return undefined;
  const { type, owner } = rule;
  return { type, owners: ownersOf(name, owner), paths: belongTogether(path, rule) };
}

function isWithin(parts: readonly string[], folder: readonly string[]): boolean {
  return (
    parts.length === folder.length &&
    parts.every((part, index) => {
      const known = folder[index];
      return known === '*' ? part !== '' && part !== '.' && part !== '..' : known === part;
    })
  );
}

function ownersOf(name: string, owner: ArtifactRule['owner']): Artifact['owners'] {
  if (owner === 'unsaid') return owner;
  return owner === 'itself' ? [name] : (name.match(new RegExp(`(?<![0-9a-z])${UUID}(?![0-9a-z])`, 'g')) ?? []);
}

/** A transcript, and the folder with its tool results beside it. */
function belongTogether(path: string, { type, owner }: ArtifactRule): readonly string[] {
  if (type !== 'transcript' || owner !== 'named') return [path];
  const stem = path.endsWith(TRANSCRIPT_SUFFIX) ? path.slice(0, -TRANSCRIPT_SUFFIX.length) : path;
  return [stem + TRANSCRIPT_SUFFIX, stem];
}

export interface Gathered {
  readonly artifacts: readonly Artifact[];
  /** Links where a folder of artifacts should be. */
  readonly links: number;
}

/** Puts together what belongs together; what was found twice counts once. */
export function gatherArtifacts(found: readonly ArtifactPart[], rules: readonly ArtifactRule[]): Gathered {
  const byKey = new Map<string, Classified & { readonly parts: ArtifactPart[] }>();
  let links = 0;
  for (const part of new Map(found.map((one) => [one.path, one])).values()) {
    const classified = classifyPath(part.path, rules);
    if (classified === undefined) {
      if (part.kind === 'link') links += 1;
      continue;
    }
    const key = classified.paths.join('/\n');
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { ...classified, parts: [part] });
    else known.parts.push(part);
  }
  return { artifacts: [...byKey.values()], links };
}

export type ArtifactVerdict =
  { readonly kind: 'delete' } | { readonly kind: 'keep'; readonly reason: 'recent' | 'live' | 'link' | 'too_large' };

/**
 * Whether an artifact goes (L23): when nothing in it was written for longer than its window, and no live session has its
 * id. Strict: exactly at the threshold it survives. A time in the future counts as now.
 */
export function judgeArtifact(
  artifact: Artifact,
  windows: ArtifactWindows,
  liveIds: ReadonlySet<string>,
  nowMs: number,
): ArtifactVerdict {
  const windowMs = windows[artifact.type];
  const has = (...kinds: readonly ArtifactPart['kind'][]): boolean =>
    artifact.parts.some(({ kind }) => kinds.includes(kind));
  if (windowMs <= 0) return { kind: 'keep', reason: 'recent' };
  if (has('link', 'other')) return { kind: 'keep', reason: 'link' };
  if (has('too_large')) return { kind: 'keep', reason: 'too_large' };
  if (!(nowMs - newestWrite(artifact) > windowMs)) return { kind: 'keep', reason: 'recent' };
  return isLive(artifact, liveIds) ? { kind: 'keep', reason: 'live' } : { kind: 'delete' };
}

export function newestWrite({ parts }: Pick<Artifact, 'parts'>): number {
  return Math.max(...parts.map(({ newestMs }) => newestMs));
}

/** By the exact id. What does not say whose it is may be of any session that lives. */
function isLive({ owners }: Artifact, liveIds: ReadonlySet<string>): boolean {
  return owners === 'unsaid' ? liveIds.size > 0 : owners.some((id) => liveIds.has(id));
}
