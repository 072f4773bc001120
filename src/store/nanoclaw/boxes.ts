import { closeSync, constants, fchmodSync, fchownSync, fstatSync, fsyncSync, openSync } from 'node:fs';
import { attachmentNameProblem } from '../../protocol/attachments.js';
import type { Box, BoxFolder, FileToCopy } from '../../ports/nanoclaw.js';
import { makeFolder, syncFolder } from '../session-files/folders.js';
import { namesIn } from '../session-files/held-folder.js';
import type { HeldFolder } from '../session-files/held-folder.js';
import { kindOf } from '../session-files/inspect-file.js';
import type { FilesSettings } from '../session-files/open-database.js';
import type { SessionPaths } from '../session-files/session-paths.js';
import { copyBytes } from './copy-aside.js';
import { isPart, withChild } from './places.js';
import { Unreadable } from './unreadable.js';

const NAMES_READ = 1_000;
/** Copied in one call of a child. */
const CALL_BYTES = 16 * 1024 * 1024;
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

/** What lies in a box for these messages; what is no plain file with a safe name is named, with why, and never opened. */
export function listBoxes(
  session: HeldFolder,
  box: Box,
  ids: readonly string[],
  settings: FilesSettings,
): readonly BoxFolder[] {
  const stats = session.find(box);
  if (stats === undefined) return [];
  if (!stats.isDirectory()) throw new Unreadable(`${box} is a ${kindOf(stats)}, not a folder`);
  return withChild(session, box, (folder) =>
    ids.flatMap((id) => (isPart(id) ? (listOne(folder, id, settings) ?? []) : [])),
  );
}

function listOne(box: HeldFolder, id: string, settings: FilesSettings): BoxFolder | undefined {
  const stats = box.find(id);
  if (stats === undefined) return undefined;
  if (!stats.isDirectory()) {
    return { id, files: [], refused: [{ name: id, why: `is a ${kindOf(stats)}, not a folder` }] };
  }
  return withChild(box, id, (folder) => {
    const files: BoxFolder['files'][number][] = [];
    const refused: BoxFolder['refused'][number][] = [];
    const names = namesIn(folder, NAMES_READ).sort((a, b) => a.compare(b));
    for (const bytes of names) {
      const name = bytes.toString('utf8');
      const found = folder.find(bytes);
      const why = Buffer.from(name).equals(bytes) ? whyNot(name, found, settings) : 'its name is not UTF-8';
      if (why !== undefined) refused.push({ name, why });
      else files.push({ name, bytes: found?.size ?? 0 });
    }
    if (names.length === NAMES_READ) refused.push({ name: id, why: `has more than ${NAMES_READ} files` });
    return { id, files, refused };
  });
}

function whyNot(
  name: string,
  stats: ReturnType<HeldFolder['find']>,
  { attachments }: FilesSettings,
): string | undefined {
  const problem = attachmentNameProblem(name);
  if (problem !== undefined) return `its name is not safe: ${problem}`;
  if (stats === undefined) return 'is gone';
  if (!stats.isFile()) return `is a ${kindOf(stats)}, not a regular file`;
  if (stats.nlink > 1) return `has ${stats.nlink} hard links`;
  if (stats.size > attachments.maxBytes) {
    return `has ${stats.size} bytes, the most is ${attachments.maxBytes} (ATTACHMENT_MAX_BYTES)`;
  }
  return undefined;
}

/** Copies a part of a file, from an offset on; `next` null: that was its end. @throws Unreadable */
export function copyFile(
  session: HeldFolder,
  box: Box,
  file: FileToCopy,
  paths: SessionPaths,
  settings: FilesSettings,
  offset: number,
): { readonly next: number | null } {
  const owner = box === 'outbox' ? settings.outOwner : undefined;
  const folder = `${paths[box]}/${file.toId}`;
  if (offset === 0) makeFolder(folder, FOLDER_MODE, owner);
  const target = `${folder}/${file.name}`;
  const { bytes, more } = withChild(session, box, (boxFolder) =>
    withChild(boxFolder, file.fromId, (from) => {
      const source = from.file(file.name);
      if (source === undefined) throw new Unreadable('is gone, or was exchanged for a link');
      try {
        const stats = fstatSync(source);
        const why = whyNot(file.name, stats, settings);
        if (why !== undefined) throw new Unreadable(why);
        return copyBytes(source, target, offset, CALL_BYTES);
      } finally {
        closeSync(source);
      }
    }),
  );
  if (more) return { next: offset + bytes };
  finish(target, owner);
  syncFolder(folder);
  return { next: null };
}

function finish(target: string, owner: FilesSettings['outOwner']): void {
  const file = openSync(target, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    fchmodSync(file, FILE_MODE);
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
