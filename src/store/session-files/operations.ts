import type { ArtifactFolder } from '../../core/retention/artifacts.js';
import type { ReplayRequest } from '../../core/facts.js';
import type { MessageId, SessionAddress } from '../../protocol/address.js';
import type { MessageChange } from '../../protocol/rows.js';
import type { DoomedArtifact } from '../../ports/artifacts.js';
import type { SeriesChange } from '../../ports/series.js';
import type {
  CorruptFile,
  MessageFiles,
  NewMessage,
  PruneLimits,
  RestFailure,
  SettleStep,
} from '../../ports/session-files.js';
import { answersTo } from './answers-to.js';
import { listArtifacts } from './artifacts.js';
import { changeMessages } from './change.js';
import { createSession } from './create.js';
import { purgeMessages, readMessage, readStates } from './dead-letters.js';
import { deliverMessages } from './deliver.js';
import { findSignature } from './file-signature.js';
import { outcomeOf } from './finding.js';
import { readAttachment } from './outbox.js';
import { lookAt, lookAtRest } from './look.js';
import { measureSession } from './measure.js';
import type { FilesSettings } from './open-database.js';
import { prepareStart } from './prepare-start.js';
import { expireResumeIds } from './expire-resume-ids.js';
import { findPrunable, pruneMessages } from './prune.js';
import { listFailed, listReplies } from './read-lists.js';
import { removeSession } from './remove.js';
import { removeArtifacts } from './remove-artifacts.js';
import { removeMessageFiles } from './remove-message-files.js';
import { replaceCorrupt } from './replace-corrupt.js';
import { readResumeIds } from './resume-ids.js';
import { sessionPaths } from './session-paths.js';
import { changeSeries, listOccurrences, listSeries } from './series.js';
import { settleSession } from './settle.js';
import { archiveFolder, findStray, listFolders } from './stray-folders.js';
import { withSessionFolder } from './session-folder.js';

/** What a file worker can be asked to do. All of it is synchronous and runs only in a child process. */
export function operationsOf(settings: FilesSettings) {
  const at = (session: SessionAddress) => sessionPaths(settings.dataDir, session);
  return {
    create: (session: SessionAddress) =>
      outcomeOf(() => {
        createSession(settings, at(session));
        return {};
      }),
    signatures: (sessions: readonly SessionAddress[]) => sessions.map((session) => findSignature(at(session))),
    deliver: (session: SessionAddress, messages: readonly NewMessage[]) =>
      outcomeOf(() => deliverMessages(settings, at(session), messages)),
    look: (session: SessionAddress, nowMs: number, containerGone: boolean, replays: readonly ReplayRequest[]) =>
      outcomeOf(() => (containerGone ? lookAtRest : lookAt)(settings, at(session), nowMs, replays)),
    change: (session: SessionAddress, changes: readonly MessageChange[], rest: RestFailure | null, nowMs: number) =>
      outcomeOf(() => changeMessages(settings, at(session), { changes, rest }, nowMs)),
    settle: (session: SessionAddress, step: SettleStep) => outcomeOf(() => settleSession(settings, at(session), step)),
    prepareStart: (session: SessionAddress, nowMs: number, resumeMaxAgeMs: number) =>
      outcomeOf(() => prepareStart(settings, at(session), nowMs, resumeMaxAgeMs)),
    expireResumeIds: (session: SessionAddress, resumeMaxAgeMs: number, nowMs: number) =>
      outcomeOf(() => expireResumeIds(settings, at(session), resumeMaxAgeMs, nowMs)),
    replaceCorrupt: (session: SessionAddress, file: CorruptFile, nowMs: number) =>
      outcomeOf(() => replaceCorrupt(settings, at(session), file, nowMs)),
    series: (session: SessionAddress, series: string | null) =>
      outcomeOf(() => listSeries(settings, at(session), series)),
    occurrences: (session: SessionAddress, series: string, limit: number) =>
      outcomeOf(() => listOccurrences(settings, at(session), series, limit)),
    changeSeries: (session: SessionAddress, change: SeriesChange) =>
      outcomeOf(() => changeSeries(settings, at(session), change)),
    remove: (session: SessionAddress) => outcomeOf(() => removeSession(at(session))),
    failed: (session: SessionAddress, limit: number, withPurged: boolean) =>
      outcomeOf(() => listFailed(settings, at(session), limit, withPurged)),
    message: (session: SessionAddress, id: MessageId) => outcomeOf(() => readMessage(settings, at(session), id)),
    states: (session: SessionAddress, ids: readonly MessageId[]) =>
      outcomeOf(() => readStates(settings, at(session), ids)),
    purge: (session: SessionAddress, ids: readonly MessageId[], nowMs: number) =>
      outcomeOf(() => purgeMessages(settings, at(session), ids, nowMs)),
    replies: (session: SessionAddress, after: number, limit: number) =>
      outcomeOf(() => listReplies(settings, at(session), after, limit)),
    answersTo: (session: SessionAddress, messages: readonly string[]) =>
      outcomeOf(() => answersTo(settings, at(session), messages)),
    readAttachment: (session: SessionAddress, part: Parameters<typeof readAttachment>[2]) =>
      outcomeOf(() => readAttachment(settings, at(session), part)),
    stray: (session: SessionAddress) => outcomeOf(() => findStray(at(session), `${settings.dataDir}/archive`)),
    archive: (session: SessionAddress, nowMs: number) =>
      outcomeOf(() => archiveFolder(at(session), `${settings.dataDir}/archive`, nowMs)),
    folders: () => listFolders(`${settings.dataDir}/sessions`),
    measure: (session: SessionAddress) => outcomeOf(() => measureSession(at(session))),
    prunable: (session: SessionAddress, limits: PruneLimits) =>
      outcomeOf(() => findPrunable(settings, at(session), limits)),
    prune: (session: SessionAddress, ids: readonly MessageId[]) =>
      outcomeOf(() => pruneMessages(settings, at(session), ids)),
    artifacts: (session: SessionAddress, folders: readonly ArtifactFolder[], from: number) =>
      outcomeOf(() => withSessionFolder(at(session), (folder) => listArtifacts(folder, folders, from))),
    resumeIds: (session: SessionAddress, without: readonly string[]) =>
      outcomeOf(() => ({ ids: readResumeIds(settings, at(session), without) })),
    removeArtifacts: (session: SessionAddress, artifacts: readonly DoomedArtifact[], liveIds: readonly string[]) =>
      outcomeOf(() => {
        const live = new Set([...liveIds, ...readResumeIds(settings, at(session))]);
        return { ends: withSessionFolder(at(session), (folder) => removeArtifacts(folder, artifacts, live)) };
      }),
    removeMessageFiles: (session: SessionAddress, files: MessageFiles) =>
      outcomeOf(() => ({ removed: removeMessageFiles(at(session), files) })),
  };
}

export type Operations = ReturnType<typeof operationsOf>;
export type OperationName = keyof Operations;
