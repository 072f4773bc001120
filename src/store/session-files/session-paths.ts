import { join } from 'node:path';
import { splitAddress, type SessionAddress } from '../../protocol/address.js';
import {
  HEARTBEAT_FILE,
  HOST_FOLDER,
  IN_FOLDER,
  INBOUND_FILE,
  INBOX_FOLDER,
  OUT_FOLDER,
  OUTBOUND_FILE,
  OUTBOX_FOLDER,
} from '../../protocol/workspace.js';

/** Below the data dir. */
export const SESSIONS_FOLDER = 'sessions';

/** Absolute paths of one session's folders and files. */
export interface SessionPaths {
  readonly sessions: string;
  readonly group: string;
  /** The session's folder. */
  readonly session: string;
  readonly in: string;
  readonly inbound: string;
  readonly inbox: string;
  readonly out: string;
  readonly outbound: string;
  readonly heartbeat: string;
  readonly outbox: string;
  /** `out/inbound.db`, a link for runners that look for it in their workspace. */
  readonly inboundLink: string;
  readonly host: string;
}

/** Where a session's files are; `dataDir` absolute, the address validated before. Touches nothing. */
export function sessionPaths(dataDir: string, address: SessionAddress): SessionPaths {
  const { group, session } = splitAddress(address);
  const sessions = join(dataDir, SESSIONS_FOLDER);
  return pathsIn(sessions, `${sessions}/${group}`, session);
}

/** Within a group's folder; no session can have such a name. */
export const IMPORTING_SESSIONS_FOLDER = '.importing';

/** Where the files of a session are made that is brought over: beside its place, on the same file system. */
export function importPaths(dataDir: string, address: SessionAddress): SessionPaths {
  const { sessions, group } = sessionPaths(dataDir, address);
  return pathsIn(sessions, `${group}/${IMPORTING_SESSIONS_FOLDER}`, splitAddress(address).session);
}

function pathsIn(sessions: string, groupFolder: string, session: string): SessionPaths {
  const folder = `${groupFolder}/${session}`;
  const inFolder = `${folder}/${IN_FOLDER}`;
  const out = `${folder}/${OUT_FOLDER}`;
  return {
    sessions,
    group: groupFolder,
    session: folder,
    in: inFolder,
    inbound: `${inFolder}/${INBOUND_FILE}`,
    inbox: `${inFolder}/${INBOX_FOLDER}`,
    out,
    outbound: `${out}/${OUTBOUND_FILE}`,
    heartbeat: `${out}/${HEARTBEAT_FILE}`,
    outbox: `${out}/${OUTBOX_FOLDER}`,
    inboundLink: `${out}/${INBOUND_FILE}`,
    host: `${folder}/${HOST_FOLDER}`,
  };
}
