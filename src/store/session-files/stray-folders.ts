import { lstatSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { findAddress, type SessionAddress } from '../../protocol/address.js';
import { codeOf, hostile } from './finding.js';
import { syncFolder } from './folders.js';
import type { SessionPaths } from './session-paths.js';

/** Every folder below sessions/ that could be a session's, by name; nothing in them is looked at. */
export function listFolders(sessionsDir: string): readonly SessionAddress[] {
  return namesIn(sessionsDir).flatMap((group) =>
    namesIn(join(sessionsDir, group)).flatMap((session) => findAddress(`${group}/${session}`)?.address ?? []),
  );
}

/** `writtenMs`: the newest write to a folder, as far as its files and their folders tell; null: there is no folder. */
export function findStray(
  paths: SessionPaths,
  archiveDir: string,
): { readonly writtenMs: number | null; readonly isOnOtherDisk: boolean } {
  const times = [
    paths.session,
    paths.in,
    paths.out,
    paths.inbound,
    paths.outbound,
    paths.heartbeat,
    paths.host,
  ].flatMap((path) => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? []);
  return {
    writtenMs: times.length === 0 ? null : Math.floor(Math.max(...times)),
    isOnOtherDisk: deviceOf(paths.group) !== deviceOf(join(archiveDir, basename(paths.group))),
  };
}

/** Of a folder, or where it would be made. */
function deviceOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.dev ?? deviceOf(dirname(path));
}

/**
 * Moves a session's folder to where archived ones are kept, under a name that is free there. Answers where to; null: not from one
 * file system to another.
 */
export function archiveFolder(paths: SessionPaths, archiveDir: string, atMs: number): { readonly path: string | null } {
  const stats = lstatSync(paths.session, { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true) throw hostile('session folder', 'is no folder');
  const day = new Date(atMs).toISOString().slice(0, 10);
  const group = join(archiveDir, basename(paths.group));
  mkdirSync(group, { recursive: true, mode: 0o700 });
  for (let number = 1; ; number += 1) {
    const path = join(group, `${basename(paths.session)}-${day}${number === 1 ? '' : `-${String(number)}`}`);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      renameSync(paths.session, path);
    } catch (error) {
      if (codeOf(error) === 'EXDEV') return { path: null };
      throw error;
    }
    syncFolder(group);
    syncFolder(dirname(paths.session));
    return { path };
  }
}

/** Empty where there is no such folder, or it is none. An operator may link a group's folder to another disk. */
function namesIn(folder: string): readonly string[] {
  try {
    return statSync(folder).isDirectory() ? readdirSync(folder) : [];
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return [];
    throw error;
  }
}
