import { lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FolderName, Source } from '../../ports/nanoclaw.js';
import { codeOf } from '../session-files/finding.js';
import { HeldFolder } from '../session-files/held-folder.js';
import { Unreadable } from './unreadable.js';

const DATA_FOLDER = 'data';
const SESSIONS_FOLDER = 'v2-sessions';
export const CENTRAL_FILE = 'v2.db';
/** Below the data dir: copies of an installation's databases, a folder for each import. */
export const IMPORTING_FOLDER = 'importing';
const PART_MAX_BYTES = 255;

export type Copied = 'v2.db' | 'inbound.db' | 'outbound.db';

/** Real path of an installation; undefined: there is none in that folder. */
export function findInstallation(folder: string): string | undefined {
  try {
    const root = realpathSync(folder);
    const central = lstatSync(join(root, DATA_FOLDER, CENTRAL_FILE), { throwIfNoEntry: false });
    return central !== undefined && statSync(root).isDirectory() ? root : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Where the copy of a database is kept during an import. */
export function copyPath(dataDir: string, { id }: Source, file: Copied): string {
  return join(dataDir, IMPORTING_FOLDER, id, file);
}

export function makeCopiesFolder(dataDir: string, { id }: Source): void {
  mkdirSync(join(dataDir, IMPORTING_FOLDER, id), { recursive: true, mode: 0o700 });
}

/** The folder of the central database. An operator may have put it elsewhere by a link. */
export function withDataFolder<T>({ root }: Source, work: (folder: HeldFolder) => T): T {
  return within(join(root, DATA_FOLDER), work);
}

export function withSessionsFolder<T>({ root }: Source, work: (folder: HeldFolder) => T): T {
  return within(join(root, DATA_FOLDER, SESSIONS_FOLDER), work);
}

/** A session's folder: what agents could write to. No link is followed from here on. */
export function withForeignSession<T>(source: Source, name: FolderName, work: (folder: HeldFolder) => T): T {
  return withSessionsFolder(source, (sessions) =>
    withChild(sessions, name.group, (group) => withChild(group, name.session, work)),
  );
}

/** @throws Unreadable: it is not there, or no folder */
export function withChild<T>(parent: HeldFolder, name: string, work: (folder: HeldFolder) => T): T {
  const folder = isPart(name) ? parent.folder(name) : undefined;
  if (folder === undefined) throw new Unreadable(`there is no folder ${JSON.stringify(name)}, or it is a link`);
  try {
    return work(folder);
  } finally {
    folder.close();
  }
}

/** A single part of a path, whatever a database says. */
export function isPart(name: string): boolean {
  return (
    name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && Buffer.byteLength(name) <= PART_MAX_BYTES
  );
}

function within<T>(path: string, work: (folder: HeldFolder) => T): T {
  const folder = HeldFolder.open(realpathSync(path));
  if (folder === undefined) throw new Unreadable(`${path} is no folder`);
  try {
    return work(folder);
  } finally {
    folder.close();
  }
}
