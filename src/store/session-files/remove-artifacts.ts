import type { ArtifactEnd, DoomedArtifact } from '../../ports/artifacts.js';
import { isSpent, sizeUp, type Budget } from './artifact-size.js';
import { codeOf } from './finding.js';
import type { HeldFolder } from './held-folder.js';
import { removeTree } from './remove-tree.js';

const ENTRIES_MAX = 10_000;
const TIME_MAX_MS = 500;
const LOOK_MAX_MS = 1_000;

/**
 * Removes artifacts one after the other, each only if nothing was written to it since it was judged (L9), and none that is of
 * a live id. Answers how each ended, those that it got to.
 */
export function removeArtifacts(
  root: HeldFolder,
  artifacts: readonly DoomedArtifact[],
  liveIds: ReadonlySet<string>,
): readonly ArtifactEnd[] {
  const untilMs = performance.now() + TIME_MAX_MS;
  const ends: ArtifactEnd[] = [];
  for (const artifact of artifacts) {
    const { owners } = artifact;
    const isLive = owners === 'unsaid' ? liveIds.size > 0 : owners.some((id) => liveIds.has(id));
    ends.push(isLive ? 'live' : endOf(root, artifact));
    if (performance.now() > untilMs) break;
  }
  return ends;
}

function endOf(root: HeldFolder, { paths, newestMs }: DoomedArtifact): ArtifactEnd {
  const [first = ''] = paths;
  const above = first.split('/').slice(0, -1);
  const names = paths.map((path) => path.split('/').at(-1) ?? '');
  if ([...above, ...names].some((part) => ['', '.', '..'].includes(part))) return 'changed';
  try {
    return within(root, above, (folder) => {
      if (newestOf(folder, names) !== newestMs) return 'changed';
      for (const name of names) removeTree(folder, name);
      return 'removed';
    });
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) return 'refused';
    throw error;
  }
}

/** undefined: nothing is left, or something of it is no plain file or folder. */
function newestOf(folder: HeldFolder, names: readonly string[]): number | undefined {
  const budget: Budget = { entries: ENTRIES_MAX, untilMs: performance.now() + LOOK_MAX_MS };
  const parts = names.flatMap((name) => sizeUp(folder, name, budget) ?? []);
  if (parts.length === 0 || isSpent(budget)) return undefined;
  if (parts.some(({ kind }) => kind !== 'file' && kind !== 'folder')) return undefined;
  return Math.max(...parts.map(({ newestMs }) => newestMs));
}

/** Works in a folder below another that is reached through no link. */
function within(
  folder: HeldFolder,
  [part, ...rest]: readonly string[],
  work: (found: HeldFolder) => ArtifactEnd,
): ArtifactEnd {
  if (part === undefined) return work(folder);
  const inner = folder.folder(part);
  if (inner === undefined) return 'changed';
  try {
    return within(inner, rest, work);
  } finally {
    inner.close();
  }
}
