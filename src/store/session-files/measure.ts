import { basename } from 'node:path';
import { isForbidden, namesIn, type HeldFolder } from './held-folder.js';
import { openGroup } from './session-folder.js';
import type { SessionPaths } from './session-paths.js';

/** Of a folder with more in it the size is not told. */
const NAMES_MAX = 100_000;
const DEPTH_MAX = 64;

/** Bytes of all files of a session, links not followed; null: there are too many of them, or not all can be seen. */
export function measureSession(paths: SessionPaths): { readonly bytes: number | null } {
  const group = openGroup(paths);
  try {
    const session = group?.folder(basename(paths.session));
    if (session === undefined) return { bytes: 0 };
    const budget = { names: NAMES_MAX };
    try {
      return { bytes: sizeOf(session, budget, DEPTH_MAX) };
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return { bytes: null };
    } finally {
      session.close();
    }
  } finally {
    group?.close();
  }
}

function sizeOf(folder: HeldFolder, budget: { names: number }, depth: number): number | null {
  let bytes = 0;
  const names = namesIn(folder, budget.names + 1);
  budget.names -= names.length;
  if (budget.names < 0 || depth === 0) return null;
  for (const name of names) {
    const stats = folder.find(name);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) {
      bytes += stats.size;
      continue;
    }
    const inner = folder.folder(name);
    if (inner === undefined) continue;
    try {
      const size = sizeOf(inner, budget, depth - 1);
      if (size === null) return null;
      bytes += size;
    } finally {
      inner.close();
    }
  }
  return bytes;
}
