import type { Stats } from 'node:fs';
import type { ArtifactPart } from '../../core/retention/artifacts.js';
import { eachName, type HeldFolder } from './held-folder.js';

const DEPTH_MAX = 64;

/** What one call may do: so many entries, until then (by `performance.now`). */
export interface Budget {
  entries: number;
  readonly untilMs: number;
}

export function isSpent({ entries, untilMs }: Budget): boolean {
  return entries <= 0 || performance.now() > untilMs;
}

/** What has a name in a folder, without its path; links are not followed. undefined: nothing. */
export function sizeUp(
  parent: HeldFolder,
  name: string | Buffer,
  budget: Budget,
): Omit<ArtifactPart, 'path'> | undefined {
  const stats = parent.find(name);
  budget.entries -= 1;
  if (stats === undefined) return undefined;
  const own = { bytes: stats.size, newestMs: writtenAt(stats) };
  if (stats.isFile()) return { kind: 'file', ...own };
  if (!stats.isDirectory()) return { kind: stats.isSymbolicLink() ? 'link' : 'other', ...own };
  const sum = { bytes: 0, files: 0, folders: own.newestMs };
  if (!addFolder(parent, name, sum, budget, DEPTH_MAX)) return { kind: 'too_large', ...own };
  return { kind: 'folder', bytes: sum.bytes, newestMs: sum.files === 0 ? sum.folders : sum.files };
}

/** Folders count apart: whoever deletes in one writes to it, and what a crash interrupted would begin to age anew. */
interface Sum {
  bytes: number;
  files: number;
  folders: number;
}

/** False: too much. */
function addFolder(parent: HeldFolder, name: string | Buffer, sum: Sum, budget: Budget, depth: number): boolean {
  const folder = parent.folder(name);
  if (folder === undefined) return true;
  try {
    if (depth === 0) return false;
    for (const inner of eachName(folder)) {
      budget.entries -= 1;
      if (isSpent(budget)) return false;
      const stats = folder.find(inner);
      if (stats === undefined) continue;
      if (stats.isDirectory()) {
        sum.folders = Math.max(sum.folders, writtenAt(stats));
        if (!addFolder(folder, inner, sum, budget, depth - 1)) return false;
      } else {
        sum.bytes += stats.size;
        sum.files = Math.max(sum.files, writtenAt(stats));
      }
    }
    return true;
  } finally {
    folder.close();
  }
}

/** Rounded up: never older than it is. */
function writtenAt({ mtimeMs }: Stats): number {
  return Math.ceil(mtimeMs);
}
