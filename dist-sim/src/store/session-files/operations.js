import { changeMessages } from './change.js';
import { createSession } from './create.js';
import { purgeMessages, readMessage, readStates } from './dead-letters.js';
import { deliverMessages } from './deliver.js';
import { findSignature } from './file-signature.js';
import { outcomeOf } from './finding.js';
import { readAttachment } from './outbox.js';
import { lookAt, lookAtRest } from './look.js';
import { prepareStart } from './prepare-start.js';
import { listFailed, listReplies } from './read-lists.js';
import { removeSession } from './remove.js';
import { removeMessageFiles } from './remove-message-files.js';
import { replaceCorrupt } from './replace-corrupt.js';
import { sessionPaths } from './session-paths.js';
import { changeSeries, listOccurrences, listSeries } from './series.js';
import { settleSession } from './settle.js';
/** What a file worker can be asked to do. All of it is synchronous and runs only in a child process. */
export function operationsOf(settings) {
    const at = (session) => sessionPaths(settings.dataDir, session);
    return {
        create: (session) => outcomeOf(() => {
            createSession(settings, at(session));
            return {};
        }),
        signatures: (sessions) => sessions.map((session) => findSignature(at(session))),
        deliver: (session, messages) => outcomeOf(() => deliverMessages(settings, at(session), messages)),
        look: (session, nowMs, containerGone, replays) => outcomeOf(() => (containerGone ? lookAtRest : lookAt)(settings, at(session), nowMs, replays)),
        change: (session, changes, nowMs) => outcomeOf(() => changeMessages(settings, at(session), changes, nowMs)),
        settle: (session, step) => outcomeOf(() => settleSession(settings, at(session), step)),
        prepareStart: (session, nowMs) => outcomeOf(() => prepareStart(settings, at(session), nowMs)),
        replaceCorrupt: (session, file, nowMs) => outcomeOf(() => replaceCorrupt(settings, at(session), file, nowMs)),
        series: (session, series) => outcomeOf(() => listSeries(settings, at(session), series)),
        occurrences: (session, series, limit) => outcomeOf(() => listOccurrences(settings, at(session), series, limit)),
        changeSeries: (session, change) => outcomeOf(() => changeSeries(settings, at(session), change)),
        remove: (session) => outcomeOf(() => {
            removeSession(at(session));
            return {};
        }),
        failed: (session, limit, withPurged) => outcomeOf(() => listFailed(settings, at(session), limit, withPurged)),
        message: (session, id) => outcomeOf(() => readMessage(settings, at(session), id)),
        states: (session, ids) => outcomeOf(() => readStates(settings, at(session), ids)),
        purge: (session, ids, nowMs) => outcomeOf(() => purgeMessages(settings, at(session), ids, nowMs)),
        replies: (session, after, limit) => outcomeOf(() => listReplies(settings, at(session), after, limit)),
        readAttachment: (session, part) => outcomeOf(() => readAttachment(settings, at(session), part)),
        removeMessageFiles: (session, files) => outcomeOf(() => ({ removed: removeMessageFiles(at(session), files) })),
    };
}
//# sourceMappingURL=operations.js.map