import { readFile, statfs } from 'node:fs/promises';
import type { Finding } from './finding.js';
import { ok, problem, warning } from './finding.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const PROBLEM_BYTES = 100 * MIB;
const WARNING_BYTES = GIB;
const WARNING_SHARE = 0.05;
const PROBLEM_INODES = 1_000;

export interface DiskFacts {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
  /** 0: the file system has no such limit. */
  readonly totalInodes: number;
}

/** `path` must exist. */
export async function readDisk(path: string): Promise<DiskFacts> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: ffree, totalInodes: files };
}

export function spaceFinding({ freeBytes, totalBytes }: DiskFacts): Finding {
  const found = `${amount(freeBytes)} of ${amount(totalBytes)} free`;
  const remedy = 'free some space, or move the data dir to a larger disk; nothing is lost meanwhile, work waits';
  if (freeBytes < PROBLEM_BYTES) return problem(found, remedy);
  if (freeBytes < WARNING_BYTES || freeBytes < totalBytes * WARNING_SHARE) return warning(found, remedy);
  return ok(found);
}

/** Every session takes about a dozen files and folders. */
export function inodesFinding({ freeInodes, totalInodes }: DiskFacts): Finding {
  if (totalInodes === 0) return ok('the file system has no limit of files');
  const found = `${freeInodes} of ${totalInodes} free`;
  const remedy = 'delete files that nobody needs on this file system, or make one with more inodes (mkfs.ext4 -N)';
  if (freeInodes < PROBLEM_INODES) return problem(found, remedy);
  return freeInodes < totalInodes * WARNING_SHARE ? warning(found, remedy) : ok(found);
}

export interface Mount {
  readonly place: string;
  readonly type: string;
  readonly readOnly: boolean;
}

/** The mount that holds an absolute path without links, of /proc/self/mountinfo. */
export function findMount(mountinfo: string, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const fields = before?.split(' ') ?? [];
    const place = fields[4]?.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    const type = after?.split(' ')[0];
    if (place === undefined || type === undefined || !isBelow(path, place)) continue;
    const readOnly = [fields[5], after?.split(' ')[2]].some((options) => options?.split(',').includes('ro') === true);
    // Later lines are mounted over earlier ones.
    if (found === undefined || place.length >= found.place.length) found = { place, type, readOnly };
  }
  return found;
}

/** undefined where the system tells nothing of its mounts. */
export async function readMount(path: string): Promise<Mount | undefined> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return findMount(text, path);
}

const LOCAL = 'move the data dir to a local file system (ext4, xfs, btrfs, zfs)';
const NETWORK =
  /^(nfs4?|cifs|smb3?|smbfs|9p|afs|ceph|lustre|glusterfs|ocfs2|gfs2|virtiofs|vboxsf|prl_fs|fuse\..*|fuse)$/;

export function fileSystemFinding(mount: Mount | undefined): Finding {
  if (mount === undefined) return ok('not known');
  const { type, place, readOnly } = mount;
  const found = `${type} at ${place}`;
  if (readOnly)
    return problem(`${found} is mounted read-only`, 'mount it read-write (after a disk error: check it first)');
  if (NETWORK.test(type)) {
    return warning(`${found}: locks and the news of changes are not reliable there, SQLite files may break`, LOCAL);
  }
  switch (type) {
    case 'overlay':
    case 'overlayfs':
    case 'aufs':
      return warning(
        `${found}: the data goes with the container that it is in`,
        'keep the data dir on a volume or a bind mount',
      );
    case 'tmpfs':
    case 'ramfs':
      return warning(`${found}: the data is lost when the machine restarts`, LOCAL);
    case 'vfat':
    case 'exfat':
    case 'msdos':
    case 'ntfs':
    case 'ntfs3':
      return warning(`${found}: it knows no owners and modes, containers get at files of others`, LOCAL);
    default:
      return ok(found);
  }
}

function isBelow(path: string, place: string): boolean {
  return place === '/' || path === place || path.startsWith(`${place}/`);
}

function amount(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.floor(bytes / MIB)} MiB`;
}
