import { closeSync, constants, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { HeldFolder } from '../session-files/held-folder.js';
import { kindOf } from '../session-files/inspect-file.js';
import { Unreadable } from './unreadable.js';

/** What belongs to a database; its shared memory is made anew. */
const PARTS = ['', '-wal', '-journal'] as const;
const CHUNK_BYTES = 1024 * 1024;
/** Copied in one call of a child: well within its deadline. */
const CALL_BYTES = 32 * CHUNK_BYTES;
const TARGET_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
/** Ends a journal that names a super-journal: its rollback would delete the named file. */
const SUPER_JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/** Where to go on. */
export interface CopyStep {
  readonly part: number;
  readonly offset: number;
  /** Of all parts, before the first was read. */
  readonly stamp: string;
}

export type CopyProgress =
  { readonly done: true; readonly bytes: number | null } | { readonly done: false; readonly step: CopyStep };

/**
 * Copies a database with its journal or WAL, a part of it in each call; nothing of it is ever opened for writing. `bytes` null: there is none.
 * @throws Unreadable: no regular file, too large, changed meanwhile
 */
export function copyDatabase(
  folder: HeldFolder,
  name: string,
  target: string,
  maxBytes: number,
  step: CopyStep | null,
): CopyProgress {
  const stamp = stampOf(folder, name, maxBytes);
  if (step === null) for (const suffix of [...PARTS, '-shm']) rmSync(target + suffix, { force: true });
  if (folder.find(name) === undefined) return { done: true, bytes: null };
  if (step !== null && step.stamp !== stamp)
    throw new Unreadable(`${name} changes while it is read: stop NanoClaw first`);
  let budget = CALL_BYTES;
  let offset = step?.offset ?? 0;
  for (let part = step?.part ?? 0; part < PARTS.length; part += 1) {
    const suffix = PARTS[part] ?? '';
    const copied = copyPart(folder, `${name}${suffix}`, target + suffix, offset, budget);
    if (copied.more) return { done: false, step: { part, offset: offset + copied.bytes, stamp } };
    budget -= copied.bytes;
    offset = 0;
  }
  if (stampOf(folder, name, maxBytes) !== stamp) {
    throw new Unreadable(`${name} changes while it is read: stop NanoClaw first`);
  }
  refuseSuperJournal(`${target}-journal`, name);
  return { done: true, bytes: folder.find(name)?.size ?? 0 };
}

function stampOf(folder: HeldFolder, name: string, maxBytes: number): string {
  return PARTS.map((suffix) => {
    const stats = folder.find(name + suffix);
    if (stats === undefined) return '-';
    if (!stats.isFile()) throw new Unreadable(`${name}${suffix} is a ${kindOf(stats)}, not a regular file`);
    if (stats.size > maxBytes) throw new Unreadable(`${name}${suffix} has ${stats.size} bytes, over ${maxBytes}`);
    return [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join('.');
  }).join(' ');
}

/** From an offset on, at most about so many bytes; `more`: there are others. */
function copyPart(
  folder: HeldFolder,
  name: string,
  target: string,
  from: number,
  budget: number,
): { readonly bytes: number; readonly more: boolean } {
  const source = folder.file(name);
  if (source === undefined) return { bytes: 0, more: false };
  try {
    if (!fstatSync(source).isFile()) throw new Unreadable(`${name} is no regular file any more`);
    return copyBytes(source, target, from, budget);
  } finally {
    closeSync(source);
  }
}

export function copyBytes(
  source: number,
  target: string,
  from: number,
  budget: number,
): { readonly bytes: number; readonly more: boolean } {
  const copy = openSync(target, TARGET_FLAGS, 0o600);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = 0; ;) {
      if (bytes >= budget) return { bytes, more: true };
      const length = readSync(source, chunk, 0, CHUNK_BYTES, from + bytes);
      if (length === 0) return { bytes, more: false };
      for (let done = 0; done < length;) done += writeSync(copy, chunk, done, length - done, from + bytes + done);
      bytes += length;
    }
  } finally {
    closeSync(copy);
  }
}

function refuseSuperJournal(path: string, name: string): void {
  let journal: number;
  try {
    journal = openSync(path, constants.O_RDONLY);
  } catch {
    return; // there is none
  }
  try {
    const tail = Buffer.alloc(SUPER_JOURNAL_MAGIC.length);
    readSync(journal, tail, 0, tail.length, Math.max(0, fstatSync(journal).size - tail.length));
    if (tail.equals(SUPER_JOURNAL_MAGIC)) throw new Unreadable(`${name}-journal names a super-journal`);
  } finally {
    closeSync(journal);
  }
}
