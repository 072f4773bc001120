import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { plainSocketPath, SOCKET_FILE, SOCKET_PATH_MAX_BYTES } from '../socket-place.js';
import type { Finding } from './finding.js';
import { ok, problem, together, warning } from './finding.js';

export const REGISTRY_FILE = 'registry.db';
const ANOTHER = 'or name another data dir with --data-dir or NIGHTPORTER_DATA_DIR';

export type DataDirState = 'absent' | 'unusable' | 'without_registry' | 'used';

/** What can be told of the data dir without changing it. */
export function lookAtDataDir(dataDir: string): { readonly state: DataDirState; readonly finding: Finding } {
  let stats: Stats | undefined;
  try {
    stats = statSync(dataDir, { throwIfNoEntry: false });
  } catch (error) {
    return unusable(
      `${dataDir} cannot be looked at (${codeOf(error)})`,
      `run this as the user who owns it, ${ANOTHER}`,
    );
  }
  if (stats === undefined) return absent(dataDir);
  if (!stats.isDirectory()) return unusable(`${dataDir} is no folder`, `move that file away, ${ANOTHER}`);
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return unusable(
      `${dataDir} cannot be used by this user (${codeOf(error)}): it belongs to uid ${stats.uid}, mode ${octal(stats.mode)}`,
      `run this as that user (and "chmod 700 ${dataDir}"), ${ANOTHER}`,
    );
  }
  if (statSync(join(dataDir, REGISTRY_FILE), { throwIfNoEntry: false }) === undefined) {
    const finding = warning(`${dataDir} is there, and nothing was started in it yet`, 'begin with "nightporter start"');
    return { state: 'without_registry', finding };
  }
  return { state: 'used', finding: ok(dataDir) };
}

function absent(dataDir: string): ReturnType<typeof lookAtDataDir> {
  const parent = existingAbove(dataDir);
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    const finding = problem(
      `there is no ${dataDir}, and it cannot be made in ${parent} (${codeOf(error)})`,
      `make it for the user who runs the daemon ("install -d -m 700 -o USER ${dataDir}"), ${ANOTHER}`,
    );
    return { state: 'absent', finding };
  }
  const finding = warning(`there is no ${dataDir} yet`, `"nightporter start" makes it, ${ANOTHER}`);
  return { state: 'absent', finding };
}

/** The nearest folder above that is there: its disk is the one that will be used. */
export function existingAbove(path: string): string {
  let at = path;
  while (dirname(at) !== at) {
    try {
      if (statSync(at).isDirectory()) return at;
    } catch {
      // Not there, or not to be seen: its parent is asked.
    }
    at = dirname(at);
  }
  return at;
}

const OTHERS_WRITE = 0o022;
const OTHERS = 0o077;

/** Owners and modes of what only the daemon's user should get at. `uid` undefined: there are none here. */
export function permissionsFinding(dataDir: string, uid: number | undefined, socket: string | undefined): Finding {
  const files = [REGISTRY_FILE, 'nightporter.lock', 'nightporter.pid', 'config.yaml'].map((name) =>
    join(dataDir, name),
  );
  const findings = [
    ...modeFindings(dataDir, 0o700, uid),
    ...files.flatMap((file) => modeFindings(file, 0o600, uid)),
    ...(socket === undefined ? [] : modeFindings(socket, 0o600, uid)),
  ];
  return findings.length === 0 ? ok(`only uid ${uid ?? '?'} gets at the data`) : together(findings);
}

function modeFindings(path: string, wanted: number, uid: number | undefined): readonly Finding[] {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  const found: Finding[] = [];
  if (uid !== undefined && stats.uid !== uid) {
    const detail = `${path} belongs to uid ${stats.uid}, this is uid ${uid}`;
    // Root gets at everything, and leaves behind what the other one then cannot write.
    found.push(
      uid === 0
        ? warning(detail, `run this and the daemon as uid ${stats.uid}, or "chown -R ${uid} ${dirname(path)}"`)
        : problem(detail, `run this and the daemon as uid ${stats.uid}, or give it to uid ${uid} (chown)`),
    );
  }
  const isLink = stats.isSymbolicLink();
  const isReadAtWill = path.endsWith('.yaml') || path.endsWith('.pid') || path.endsWith('.lock');
  const detail = `${path} has mode ${octal(stats.mode)}`;
  const remedy = `chmod ${wanted.toString(8)} ${path}`;
  if (isLink) return found;
  if ((stats.mode & wanted) !== wanted && !isReadAtWill)
    found.push(problem(`${detail}: its owner cannot use it`, remedy));
  else if ((stats.mode & OTHERS_WRITE) !== 0) found.push(problem(`${detail}: others may change it`, remedy));
  else if ((stats.mode & OTHERS) !== 0 && !isReadAtWill) found.push(warning(`${detail}: others may read it`, remedy));
  return found;
}

/** Node cuts long paths of sockets silently: the daemon listens elsewhere then. */
export function socketFinding(dataDir: string, found: string | undefined): Finding {
  const plain = plainSocketPath(dataDir);
  if (plain !== undefined) return ok(plain);
  const bytes = Buffer.byteLength(join(dataDir, SOCKET_FILE));
  return warning(
    `its path would have ${bytes} bytes, more than ${SOCKET_PATH_MAX_BYTES}: the daemon listens in a temporary folder${found === undefined ? '' : ` (${found})`}, which cleaners of such folders may delete`,
    'use a data dir with a shorter path',
  );
}

function unusable(detail: string, remedy: string): ReturnType<typeof lookAtDataDir> {
  return { state: 'unusable', finding: problem(detail, remedy) };
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
