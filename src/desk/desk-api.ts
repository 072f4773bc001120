import type { DeskApi } from './api.js';
import { changeSession } from './change-session.js';
import { createSession } from './create-session.js';
import type { Desk } from './desk.js';
import { drain } from './drain.js';
import { gc } from './gc.js';
import { importNanoclaw } from './import/import-nanoclaw.js';
import { listDead } from './list-dead.js';
import { listSessions } from './list-sessions.js';
import { purgeDead } from './purge-dead.js';
import { readAttachment } from './read-attachment.js';
import { readLogs } from './read-logs.js';
import { readReplies } from './read-replies.js';
import { reloadSettings } from './reload-settings.js';
import { retryDead } from './retry-dead.js';
import { changeSchedule } from './schedule/change-schedule.js';
import { listSchedules, showSchedule } from './schedule/list-schedules.js';
import { routeEvent } from './route-event.js';
import { sendBatch } from './send-batch.js';
import { sendMessage } from './send-message.js';
import { showDead } from './show-dead.js';
import { showSession } from './show-session.js';
import { stageAttachment } from './stage-attachment.js';
import { status } from './status.js';
import { sweep } from './sweep.js';

/** The questions of `DeskApi`, answered in this process. */
export function deskApi(desk: Desk): DeskApi {
  return {
    status: () => status(desk),
    stage: (name, bytes) => stageAttachment(desk, name, bytes),
    send: (input) => sendMessage(desk, input),
    sendBatch: (bytes, session) => sendBatch(desk, bytes, session),
    replies: (session, after) => readReplies(desk, session, after),
    attachment: (session, reply, name) => readAttachment(desk, session, reply, name),
    createSession: (input) => createSession(desk, input),
    sessions: (options) => listSessions(desk, options),
    showSession: (session) => soon(() => showSession(desk, session)),
    changeSession: (session, change) => changeSession(desk, session, change),
    deadLetters: (filter) => listDead(desk, filter),
    showDead: (session, id) => showDead(desk, session, id),
    retryDead: (selection) => retryDead(desk, selection),
    purgeDead: (selection) => purgeDead(desk, selection),
    schedules: (options) => listSchedules(desk, options),
    showSchedule: (session, series) => showSchedule(desk, session, series),
    changeSchedule: (session, series, change) => changeSchedule(desk, session, series, change),
    logs: (session) => readLogs(desk, session),
    sweep: (options) => sweep(desk, options),
    gc: (options) => gc(desk, options),
    route: (event) => soon(() => routeEvent(desk, event)),
    importNanoclaw: (input) => importNanoclaw(desk, input),
    drain: () => drain(desk),
    reloadSettings: () => soon(() => reloadSettings(desk)),
  };
}

async function soon<T>(answer: () => T): Promise<T> {
  return Promise.resolve().then(answer);
}
