import { randomUUID } from 'node:crypto';
import { renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { codeOf } from './finding.js';
import { namesIn, unlocked, type HeldFolder } from './held-folder.js';

const NAMES_READ = 1_000;

/**
 * Removes what has a name in a folder: a tree of any depth, following no link, whatever somebody who may write there does
 * meanwhile, also through folders that are closed to their own owner. Whether there was something.
 */
export function removeTree(parent: HeldFolder, name: string): boolean {
  const stats = parent.find(name);
  if (stats === undefined) return false;
  if (!stats.isDirectory()) {
    gone(() => {
      unlinkSync(parent.path(name));
    });
    return true;
  }
  const top = openToEmpty(parent, name);
  try {
    if (top !== undefined) empty(top);
  } finally {
    top?.close();
  }
  gone(() => {
    rmdirSync(parent.path(name));
  });
  return true;
}

/**
 * However deep it goes, two folders are held at a time: what a folder has in it is first brought up to the top. What
 * somebody goes on adding is removed until the deadline of the call.
 */
function empty(top: HeldFolder): void {
  for (let names = namesIn(top, NAMES_READ); names.length > 0; names = namesIn(top, NAMES_READ)) {
    for (const name of names) if (!removeLeaf(top, name)) bringUp(top, name);
  }
}

/** Empties a folder into the one that it is in, and removes it. */
function bringUp(top: HeldFolder, name: Buffer): void {
  const inner = openToEmpty(top, name);
  if (inner === undefined) return;
  try {
    for (let names = namesIn(inner, NAMES_READ); names.length > 0; names = namesIn(inner, NAMES_READ)) {
      for (const deep of names) {
        if (removeLeaf(inner, deep)) continue;
        const up = top.path(`.${randomUUID()}`);
        gone(() => {
          unlocked(inner, deep, () => {
            renameSync(inner.path(deep), up);
          });
        });
      }
    }
  } finally {
    inner.close();
  }
  removeLeaf(top, name);
}

function openToEmpty(parent: HeldFolder, name: string | Buffer): HeldFolder | undefined {
  const folder = unlocked(parent, name, () => parent.folder(name));
  folder?.unlock();
  return folder;
}

/** A file, a link, an empty folder; false: a folder with something in it. */
function removeLeaf(folder: HeldFolder, name: Buffer): boolean {
  const path = folder.path(name);
  const isFolder = folder.find(name)?.isDirectory() === true;
  try {
    if (isFolder) rmdirSync(path);
    else unlinkSync(path);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === 'ENOENT') return true;
    // The latter two: it was exchanged meanwhile.
    if ((isFolder ? ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'] : ['EISDIR']).includes(code)) return false;
    throw error;
  }
}

function gone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
