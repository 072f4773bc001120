import { readFileSync, realpathSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadSettings } from '../config/load.js';
import { gatherArtifacts, judgeArtifact, newestWrite, rulesWithin } from '../core/retention/artifacts.js';
import type {
  Artifact,
  ArtifactPart,
  ArtifactPlace,
  ArtifactRule,
  ArtifactWindows,
} from '../core/retention/artifacts.js';
import { NightporterError } from '../protocol/errors.js';
import type { GroupName } from '../protocol/address.js';
import { oneLine } from '../protocol/plain-text.js';
import { idsIn } from '../protocol/resume-ids.js';
import { listArtifacts } from '../store/session-files/artifacts.js';
import { HeldFolder } from '../store/session-files/held-folder.js';
import { removeArtifacts } from '../store/session-files/remove-artifacts.js';
import { retentionOf } from './upkeep-settings.js';

export const PRUNE_USAGE = `usage: scripts/prune-artifacts (--home FOLDER | --logs FOLDER)... (--live FILE | --none-live) [--delete]
  --home FOLDER  with .claude in it; --logs FOLDER  with *.log in it
  --live FILE    ids of sessions that are still wanted, as words or as JSON; --none-live: there are none
  --delete       without it, what would go is listed and nothing is deleted
How long each type is kept: NIGHTPORTER_RETENTION_TRANSCRIPTS_DAYS and so on (docs/artifacts.md).
`;

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface PruneWorld {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly nowMs: number;
  readonly print: (line: string) => void;
  readonly warn: (line: string) => void;
}

interface Order {
  readonly roots: readonly { readonly place: ArtifactPlace; readonly folder: string }[];
  readonly liveIds: ReadonlySet<string>;
  readonly isDryRun: boolean;
}

/**
 * Prunes what an older installation left in homes of agents, by the rules of the daemon, once.
 * @throws NightporterError `usage`; nothing is deleted then
 */
export function pruneHomes(args: readonly string[], world: PruneWorld): void {
  const order = readOrder(args);
  const windows = readWindows(world);
  const folders = order.roots.map(({ place, folder }) => ({ place, folder, root: openRoot(folder) }));
  const kept: Record<string, number> = {};
  let paths = 0;
  let bytes = 0;
  for (const { place, folder, root } of folders) {
    try {
      for (const { type, path, bytes: own } of pruneRoot(
        root,
        rulesWithin({ [place]: [] }),
        { ...order, windows, nowMs: world.nowMs },
        kept,
      )) {
        world.print(oneLine(`${type} ${String(own)} ${folder}/${path}`));
        paths += 1;
        bytes += own;
      }
    } finally {
      root.close();
    }
  }
  const reasons = Object.entries(kept).map(([reason, count]) => `${String(count)} ${reason}`);
  const what = order.isDryRun ? 'would be deleted (--delete does it)' : 'deleted';
  world.print(
    `${String(paths)} paths, ${String(bytes)} bytes ${what}${reasons.length > 0 ? `; kept: ${reasons.join(', ')}` : ''}`,
  );
}

function* pruneRoot(
  root: HeldFolder,
  rules: readonly ArtifactRule[],
  { liveIds, isDryRun, windows, nowMs }: Order & { readonly windows: ArtifactWindows; readonly nowMs: number },
  kept: Record<string, number>,
): Generator<{ readonly type: string; readonly path: string; readonly bytes: number }, void> {
  const keep = (reason: string): void => {
    kept[reason] = (kept[reason] ?? 0) + 1;
  };
  const found: ArtifactPart[] = [];
  for (let from: number | null = 0; from !== null;) {
    const page = listArtifacts(root, rules, from);
    found.push(...page.found);
    if (page.isCut) keep('too_many');
    from = page.next;
  }
  const { artifacts, links } = gatherArtifacts(found, rules);
  for (let link = 0; link < links; link += 1) keep('link');
  for (const artifact of artifacts) {
    const verdict = judgeArtifact(artifact, windows, liveIds, nowMs);
    const end = verdict.kind === 'keep' ? verdict.reason : isDryRun ? 'removed' : remove(root, artifact, liveIds);
    if (end !== 'removed') keep(end);
    else yield* artifact.parts.map(({ path, bytes }) => ({ type: artifact.type, path, bytes }));
  }
}

function remove(root: HeldFolder, artifact: Artifact, liveIds: ReadonlySet<string>): string {
  const { paths, owners } = artifact;
  return removeArtifacts(root, [{ paths, owners, newestMs: newestWrite(artifact) }], liveIds)[0] ?? 'changed';
}

/** From the environment alone. */
function readWindows({ environment, warn }: PruneWorld): ArtifactWindows {
  const nowhere = { dataDir: '/', configPath: undefined, flags: {}, readFile: () => undefined };
  const settings = loadSettings({ ...nowhere, env: environment });
  for (const warning of settings.warnings) warn(warning);
  return retentionOf(settings, 'none' as GroupName).artifacts;
}

function readOrder(args: readonly string[]): Order {
  const { values } = parse(args);
  const { home = [], logs = [], live } = values;
  const roots = [
    ...home.map((folder) => ({ place: 'home' as const, folder })),
    ...logs.map((folder) => ({ place: 'logs' as const, folder })),
  ];
  if (roots.length === 0) throw new NightporterError('usage', 'name a folder with --home or --logs');
  if ((live === undefined) === (values['none-live'] !== true)) {
    throw new NightporterError('usage', 'say with --live FILE which sessions are still wanted, or --none-live');
  }
  return {
    roots,
    liveIds: live === undefined ? new Set() : readLive(live),
    isDryRun: values.delete !== true || values['dry-run'] === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        home: { type: 'string', multiple: true },
        logs: { type: 'string', multiple: true },
        live: { type: 'string' },
        'none-live': { type: 'boolean' },
        delete: { type: 'boolean' },
        'dry-run': { type: 'boolean' },
      },
    });
  } catch (cause) {
    throw new NightporterError('usage', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** A list that cannot be read, or is another kind of file, is none. */
function readLive(file: string): ReadonlySet<string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new NightporterError('usage', `the list of live sessions cannot be read: ${String(cause)}`, { cause });
  }
  const ids = [...text.split(/[\s,]+/), ...idsIn(text)];
  if (text.includes('\0') || !ids.some((id) => ID.test(id))) {
    throw new NightporterError('usage', `${file} is no list of sessions; where none is wanted --none-live says so`);
  }
  return new Set(ids);
}

function openRoot(folder: string): HeldFolder {
  try {
    const root = HeldFolder.open(realpathSync(folder));
    if (root !== undefined) return root;
  } catch (cause) {
    throw new NightporterError('usage', `${folder} cannot be opened: ${String(cause)}`, { cause });
  }
  throw new NightporterError('usage', `${folder} is no folder`);
}

/** The script's way in; answers its exit code. */
export function runPruneHomes(args: readonly string[]): number {
  const say = (to: NodeJS.WriteStream) => (line: string) => {
    to.write(`${line}\n`);
  };
  if (args.includes('--help')) {
    process.stdout.write(PRUNE_USAGE);
    return 0;
  }
  try {
    const world = { environment: process.env, nowMs: Date.now() };
    pruneHomes(args, { ...world, print: say(process.stdout), warn: say(process.stderr) });
    return 0;
  } catch (error) {
    if (!(error instanceof NightporterError)) throw error;
    say(process.stderr)(`prune-artifacts: ${error.message}`);
    process.stderr.write(PRUNE_USAGE);
    return 2;
  }
}
