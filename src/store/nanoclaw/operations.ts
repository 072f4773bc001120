import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Box, FileToCopy, FolderName, ImportRows, Source } from '../../ports/nanoclaw.js';
import type { SessionAddress } from '../../protocol/address.js';
import { Finding } from '../session-files/finding.js';
import { namesIn } from '../session-files/held-folder.js';
import type { FilesSettings } from '../session-files/open-database.js';
import { importPaths } from '../session-files/session-paths.js';
import { copyFile, listBoxes } from './boxes.js';
import { dropAll, dropSession, listIds, numberRows, placeSession, prepareSession, writeRows } from './build-session.js';
import { readGroups, readSessions, readZone } from './central.js';
import { copyDatabase, type CopyStep } from './copy-aside.js';
import {
  checkInbound,
  checkOutbound,
  readAnswers,
  readMessages,
  readRouting,
  readSeries,
  readState,
  type Mailbox,
} from './mailbox.js';
import {
  CENTRAL_FILE,
  copyPath,
  findInstallation,
  IMPORTING_FOLDER,
  isPart,
  makeCopiesFolder,
  withChild,
  withDataFolder,
  withForeignSession,
  withSessionsFolder,
} from './places.js';
import { readOf, Unreadable } from './unreadable.js';

/** What a file worker can be asked to do about an installation of NanoClaw. Synchronous; only in a child process. */
export function nanoclawOperations(settings: FilesSettings) {
  const { dataDir, outboundMaxBytes } = settings;
  const central = (source: Source): string => copyPath(dataDir, source, 'v2.db');
  const mailbox = (source: Source): Mailbox => ({
    inbound: copyPath(dataDir, source, 'inbound.db'),
    outbound: copyPath(dataDir, source, 'outbound.db'),
  });
  return {
    nanoclawFind: (folder: string) => findInstallation(folder) ?? null,
    nanoclawClean: () => {
      rmSync(join(dataDir, IMPORTING_FOLDER), { recursive: true, force: true });
      dropAll(dataDir);
    },
    nanoclawCopyCentral: (source: Source, step: CopyStep | null) =>
      readOf(() => {
        makeCopiesFolder(dataDir, source);
        return withDataFolder(source, (data) =>
          copyDatabase(data, CENTRAL_FILE, central(source), outboundMaxBytes, step),
        );
      }),
    nanoclawGroups: (source: Source) => readOf(() => ({ groups: readGroups(central(source)), zone: readZone(source) })),
    nanoclawSessions: (source: Source, after: number) => readOf(() => readSessions(central(source), after)),
    nanoclawFolders: (source: Source, most: number) => readOf(() => ({ folders: listFolders(source, most) })),
    nanoclawCopySession: (source: Source, name: FolderName, file: keyof Mailbox, step: CopyStep | null) =>
      readOf(() =>
        withForeignSession(source, name, (folder) =>
          copyDatabase(folder, `${file}.db`, mailbox(source)[file], outboundMaxBytes, step),
        ),
      ),
    nanoclawCheck: (source: Source, file: keyof Mailbox) =>
      readOf(() => {
        (file === 'inbound' ? checkInbound : checkOutbound)(mailbox(source)[file]);
        return {};
      }),
    nanoclawForget: (source: Source, file: keyof Mailbox) =>
      made(() => {
        for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(mailbox(source)[file] + suffix, { force: true });
        return {};
      }),
    nanoclawSeries: (source: Source) => readOf(() => ({ rows: readSeries(mailbox(source)) })),
    nanoclawMessages: (source: Source, after: number, maxBytes: number) =>
      readOf(() => readMessages(mailbox(source), after, maxBytes)),
    nanoclawAnswers: (source: Source, after: number, maxBytes: number) =>
      readOf(() => readAnswers(mailbox(source), after, maxBytes)),
    nanoclawState: (source: Source) => readOf(() => ({ rows: readState(mailbox(source)) })),
    nanoclawRouting: (source: Source) => readOf(() => ({ routing: readRouting(mailbox(source)) })),
    nanoclawFiles: (source: Source, name: FolderName, box: Box, ids: readonly string[]) =>
      readOf(() => ({ found: withForeignSession(source, name, (folder) => listBoxes(folder, box, ids, settings)) })),
    nanoclawCopyFile: (
      source: Source,
      name: FolderName,
      to: SessionAddress,
      box: Box,
      file: FileToCopy,
      offset: number,
    ) =>
      readOf(() =>
        withForeignSession(source, name, (folder) =>
          copyFile(folder, box, file, importPaths(dataDir, to), settings, offset),
        ),
      ),
    nanoclawPrepare: (session: SessionAddress, mark: string, dryRun: boolean) =>
      made(() => ({ state: prepareSession(settings, session, mark, dryRun) })),
    nanoclawWrite: (session: SessionAddress, rows: ImportRows) => made(() => writeRows(settings, session, rows)),
    nanoclawMessageIds: (session: SessionAddress, after: number) => made(() => listIds(settings, session, after)),
    nanoclawNumber: (session: SessionAddress) => made(() => numberRows(settings, session)),
    nanoclawPlace: (session: SessionAddress) =>
      made(() => {
        placeSession(settings, session);
        return {};
      }),
    nanoclawDrop: (session: SessionAddress) =>
      made(() => {
        dropSession(settings, session);
        return {};
      }),
  };
}

/** What is odd about our own folders is a fault of the machine's here, and says what and where. */
function made<T extends object>(work: () => T): T & { readonly kind: 'ok' } {
  try {
    return { ...work(), kind: 'ok' };
  } catch (error) {
    if (!(error instanceof Finding) || !('detail' in error.outcome)) throw error;
    throw new Error(`${error.outcome.file}: ${error.outcome.detail}`, { cause: error });
  }
}

export type NanoclawOperations = ReturnType<typeof nanoclawOperations>;

/** Folders that could be sessions': two deep, of whatever name but those that begin with a dot. */
function listFolders(source: Source, most: number): readonly FolderName[] {
  return withSessionsFolder(source, (sessions) => {
    const found: FolderName[] = [];
    for (const group of folderNames(sessions, most)) {
      withChild(sessions, group, (folder) => {
        found.push(...folderNames(folder, most).map((session) => ({ group, session })));
      });
      if (found.length > most) throw new Unreadable(`there are over ${String(most)} sessions' folders`);
    }
    return found;
  });
}

function folderNames(folder: Parameters<typeof namesIn>[0], most: number): readonly string[] {
  return namesIn(folder, most)
    .map((name) => name.toString('utf8'))
    .filter((name) => isPart(name) && !name.startsWith('.') && folder.find(name)?.isDirectory() === true)
    .sort();
}
