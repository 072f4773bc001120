import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

const FULL_ID = /\b[0-9a-f]{64}\b/g;
/** An engine's default host name in a container: the beginning of its id. */
const SHORT_ID = /^[0-9a-f]{12}$/;
/**
 * Files that engines mount into every container, from a folder named after its id. The host itself sees other mounts
 * below those folders, of every container that runs, but none at these places.
 */
const OWN_MOUNT = /([0-9a-f]{64})\S*\/(?:hostname|hosts|resolv\.conf) \/etc\/(?:hostname|hosts|resolv\.conf) /;

/** Ids, or beginnings of ids, of the container that a process runs in; empty outside of containers. */
export function ownContainerIds(self: {
  readonly cgroup: string;
  readonly mountinfo: string;
  readonly hostname: string;
}): readonly string[] {
  const ids = new Set<string>();
  for (const [id] of self.cgroup.matchAll(FULL_ID)) ids.add(id);
  for (const line of self.mountinfo.split('\n')) {
    const id = OWN_MOUNT.exec(line)?.[1];
    if (id !== undefined) ids.add(id);
  }
  if (SHORT_ID.test(self.hostname)) ids.add(self.hostname);
  return [...ids];
}

export function isOneOf(id: string, own: readonly string[]): boolean {
  return own.some((beginning) => id.startsWith(beginning));
}

/** Of this process. */
export async function readOwnContainerIds(): Promise<readonly string[]> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => ''); // no /proc: not on Linux
  const [cgroup, mountinfo] = await Promise.all([read('/proc/self/cgroup'), read('/proc/self/mountinfo')]);
  return ownContainerIds({ cgroup, mountinfo, hostname: hostname() });
}
