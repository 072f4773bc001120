import type { ArtifactFolder, ArtifactPart } from '../../core/retention/artifacts.js';
import type { ArtifactPage } from '../../ports/artifacts.js';
import { isSpent, sizeUp, type Budget } from './artifact-size.js';
import { eachName, type HeldFolder } from './held-folder.js';

/** Of one call, which has to end well before FILE_DEADLINE_MS. */
const ENTRIES_MAX = 10_000;
const TIME_MAX_MS = 1_000;
/** Names of artifacts in one pass, all calls together: names that were passed before are read again by each. */
const NAMES_MAX = 50_000;
/** Folders that stand for one `*`. */
const FOLDERS_MAX = 1_000;

interface Place {
  readonly path: string;
  readonly parent: HeldFolder;
  readonly name: string;
  readonly isLinkAbove: boolean;
}

/**
 * What lies in folders below a root, from a place on: as much as a call can take. Follows no link, whatever somebody who may
 * write there does meanwhile; a link in the place of a folder is told.
 */
export function listArtifacts(root: HeldFolder, folders: readonly ArtifactFolder[], from: number): ArtifactPage {
  const budget: Budget = { entries: ENTRIES_MAX, untilMs: performance.now() + TIME_MAX_MS };
  const found: ArtifactPart[] = [];
  const cut = { is: false };
  let at = 0;
  for (const rule of folders) {
    const pattern = new RegExp(rule.name, 's');
    for (const { path, parent, name, isLinkAbove } of placesOf(root, rule.folder, '', cut)) {
      at += 1;
      if (at > NAMES_MAX) return { found, next: null, isCut: true };
      if (at <= from) continue;
      if (at > from + 1 && isSpent(budget)) return { found, next: at - 1, isCut: false };
      if (!isLinkAbove && !pattern.test(name)) {
        budget.entries -= 1;
        continue;
      }
      const part = sizeUp(parent, name, budget);
      if (part === undefined) continue;
      // With all of a call's time it may be said of it after all.
      if (part.kind === 'too_large' && at > from + 1) return { found, next: at - 1, isCut: false };
      const isOther = part.kind === 'file' || part.kind === 'folder' ? part.kind !== rule.is : false;
      if (!isOther) found.push({ path, ...part });
    }
  }
  return { found, next: null, isCut: cut.is };
}

/** All that lies in the folders of a rule, and links in the place of such a folder. */
function* placesOf(
  parent: HeldFolder,
  [part, ...rest]: readonly string[],
  above: string,
  cut: { is: boolean },
): Generator<Place, void> {
  if (part === undefined) {
    for (const name of eachText(parent)) yield { path: above + name, parent, name, isLinkAbove: false };
    return;
  }
  let seen = 0;
  for (const name of part === '*' ? eachText(parent) : [part]) {
    seen += 1;
    if (seen > FOLDERS_MAX) {
      cut.is = true;
      return;
    }
    const path = above + name;
    const inner = parent.folder(name);
    if (inner === undefined) {
      if (parent.find(name)?.isSymbolicLink() === true) yield { path, parent, name, isLinkAbove: true };
      continue;
    }
    try {
      yield* placesOf(inner, rest, `${path}/`, cut);
    } finally {
      inner.close();
    }
  }
}

/** Names that are text: no other can be that of an artifact. */
function* eachText(folder: HeldFolder): Generator<string, void> {
  for (const name of eachName(folder)) {
    const text = name.toString('utf8');
    if (!text.includes('\uFFFD')) yield text;
  }
}
