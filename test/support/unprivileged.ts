import { lchownSync, readdirSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As whom the workers of `UNPRIVILEGED_ENTRY` run under root: that of unprivileged-worker.mjs. */
const UID = 54_321;

export const UNPRIVILEGED_ENTRY = fileURLToPath(new URL('unprivileged-worker.mjs', import.meta.url));
export const isRoot = process.getuid?.() === 0;

/** Makes a file, or a folder with all in it, theirs; links are not followed. */
export function giveAway(path: string): void {
  if (!isRoot) return;
  lchownSync(path, UID, UID);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveAway(join(path, name));
}
