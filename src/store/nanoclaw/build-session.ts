import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { ImportRows, Page } from '../../ports/nanoclaw.js';
import type { MessageId, SessionAddress } from '../../protocol/address.js';
import { createSession } from '../session-files/create.js';
import { codeOf } from '../session-files/finding.js';
import { makeFolder, syncFolder, syncFolders } from '../session-files/folders.js';
import { HeldFolder } from '../session-files/held-folder.js';
import { readInbound, writeInbound } from '../session-files/inbound.js';
import type { FilesSettings } from '../session-files/open-database.js';
import { writeOutboundFile } from '../session-files/outbound.js';
import { removeTree } from '../session-files/remove-tree.js';
import { removeSession } from '../session-files/remove.js';
import {
  IMPORTING_SESSIONS_FOLDER,
  importPaths,
  sessionPaths,
  SESSIONS_FOLDER,
} from '../session-files/session-paths.js';
import {
  insertAnswers,
  insertDeliveries,
  insertMessages,
  insertRouting,
  insertState,
  numberMessages,
} from './insert-rows.js';

/** Host only: of what a folder was made from, until its registry row says so. */
const MARK_FILE = 'imported.json';
/** Taken into the registry in one commit, which holds the event loop: some 10 ms. */
const IDS_PER_PAGE = 500;
/** In one call of a child. */
const ROWS_NUMBERED = 5_000;

/** Makes empty files beside the session's place. `taken`: a folder is there that no import of the same session has made. */
export function prepareSession(
  settings: FilesSettings,
  session: SessionAddress,
  mark: string,
  dryRun: boolean,
): 'ready' | 'taken' {
  const place = sessionPaths(settings.dataDir, session);
  const isThere = lstatSync(place.session, { throwIfNoEntry: false }) !== undefined;
  // With our mark: killed between the rename and the commit, nobody has seen it yet.
  if (isThere && readMark(place.host) !== mark) return 'taken';
  if (dryRun) return 'ready';
  if (isThere) removeSession(place);
  const paths = importPaths(settings.dataDir, session);
  makeFolder(paths.sessions, 0o711, undefined, 'links_allowed');
  makeFolder(place.group, 0o711, undefined, 'links_allowed');
  dropSession(settings, session);
  makeFolder(paths.group, 0o700);
  createSession(settings, paths);
  writeFileSync(join(paths.host, MARK_FILE), mark, { mode: 0o600, flush: true });
  return 'ready';
}

function readMark(host: string): string | undefined {
  const path = join(host, MARK_FILE);
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(path, 'utf8') : undefined;
}

/** Writes rows into files that nobody reads yet. Answers the ids that were there already. */
export function writeRows(
  settings: FilesSettings,
  session: SessionAddress,
  { messages = [], answers = [], state = [], routing }: ImportRows,
): { readonly collisions: readonly string[] } {
  const paths = importPaths(settings.dataDir, session);
  const collisions: string[] = [];
  const delivered = answers.filter((answer) => answer.delivered !== null);
  if (messages.length > 0 || delivered.length > 0 || routing !== undefined) {
    writeInbound(settings, paths, (database) => {
      const work = database.transaction(() => {
        collisions.push(...insertMessages(database, messages));
        insertDeliveries(database, delivered);
        if (routing !== undefined) insertRouting(database, routing);
      });
      work.immediate();
      return {};
    });
  }
  if (answers.length > 0 || state.length > 0) {
    writeOutboundFile(settings, paths, (database) => {
      const work = database.transaction(() => {
        collisions.push(...insertAnswers(database, answers));
        insertState(database, state);
      });
      work.immediate();
    });
  }
  return { collisions };
}

/** Gives messages that were written without a number one behind all others, a part of them in each call. */
export function numberRows(settings: FilesSettings, session: SessionAddress): { readonly more: boolean } {
  return writeInbound(settings, importPaths(settings.dataDir, session), (database) =>
    database.transaction(() => numberMessages(database, ROWS_NUMBERED)).immediate(),
  );
}

/** Ids of the messages that were written, from a row on. */
export function listIds(settings: FilesSettings, session: SessionAddress, after: number): Page<MessageId> {
  const rows = readInbound(settings, importPaths(settings.dataDir, session), (database) =>
    database
      .prepare<[number], { readonly mark: number; readonly id: MessageId }>(
        `SELECT rowid AS mark, id FROM messages_in WHERE rowid > ? ORDER BY rowid LIMIT ${String(IDS_PER_PAGE)}`,
      )
      .all(after),
  );
  const found = rows ?? [];
  const next = found.length === IDS_PER_PAGE ? found.at(-1)?.mark : undefined;
  return { rows: found.map(({ id }) => id), next: next ?? null };
}

/** Puts the files in their place in one step, durably. */
export function placeSession(settings: FilesSettings, session: SessionAddress): void {
  const paths = importPaths(settings.dataDir, session);
  const place = sessionPaths(settings.dataDir, session);
  for (const folder of [paths.inbox, paths.outbox, paths.host]) syncFolder(folder);
  syncFolders(settings.dataDir, paths);
  renameSync(paths.session, place.session);
  removeEmpty(paths.group);
  syncFolder(place.group);
}

/** Removes what was made of a session that is not in its place. Idempotent. */
export function dropSession(settings: FilesSettings, session: SessionAddress): void {
  const paths = importPaths(settings.dataDir, session);
  if (!existsSync(paths.group)) return;
  removeWithin(paths.group, basename(paths.session));
  removeEmpty(paths.group);
}

/** The same of all sessions. */
export function dropAll(dataDir: string): void {
  const sessions = join(dataDir, SESSIONS_FOLDER);
  for (const name of existsSync(sessions) ? readdirSync(sessions) : []) {
    const group = join(sessions, name);
    if (!existsSync(join(group, IMPORTING_SESSIONS_FOLDER))) continue;
    removeWithin(group, IMPORTING_SESSIONS_FOLDER);
  }
}

/** The folder may be a link of the operator's. */
function removeWithin(path: string, name: string): void {
  const folder = HeldFolder.open(realpathSync(path));
  if (folder === undefined) return;
  try {
    removeTree(folder, name);
  } finally {
    folder.close();
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
  }
}
