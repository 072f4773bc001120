import { randomUUID } from 'node:crypto';
import { opendirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { codeOf } from './finding.js';
import type { HeldFolder } from './held-folder.js';

const NAMES_READ = 1_000;

/**
 * Removes what has a name in a folder: a tree of any depth, following no link, whatever somebody who may write there does
 * meanwhile. Whether there was something.
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
  const top = parent.folder(name);
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
  for (let names = someOf(top); names.length > 0; names = someOf(top)) {
    for (const name of names) if (!removeLeaf(top, name)) bringUp(top, name);
  }
}

/** Empties a folder into the one that it is in, and removes it. */
function bringUp(top: HeldFolder, name: Buffer): void {
  const inner = top.folder(name);
  if (inner === undefined) return;
  try {
    for (let names = someOf(inner); names.length > 0; names = someOf(inner)) {
      for (const deep of names) {
        if (removeLeaf(inner, deep)) continue;
        const up = top.path(`.${randomUUID()}`);
        gone(() => {
          renameSync(inner.path(deep), up);
        });
      }
    }
  } finally {
    inner.close();
  }
  removeLeaf(top, name);
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
    if (['ENOTEMPTY', 'EEXIST', 'EISDIR', 'EPERM', 'ENOTDIR'].includes(code) && isFolder) return false;
    throw error;
  }
}

function someOf(folder: HeldFolder): readonly Buffer[] {
  // `encoding: 'buffer'` is missing in the types of what opendir gives.
  const handle = opendirSync(folder.own, { encoding: 'buffer' as BufferEncoding });
  const names: Buffer[] = [];
  try {
    for (let entry = handle.readSync(); entry !== null && names.length < NAMES_READ; entry = handle.readSync()) {
      names.push(Buffer.from(entry.name));
    }
  } finally {
    handle.closeSync();
  }
  return names;
}

function gone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
