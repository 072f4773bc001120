import { readdir, readFile } from 'node:fs/promises';
import { epochOf, findAddress } from '../../protocol/address.js';
import type { Epoch, SessionAddress } from '../../protocol/address.js';
import type { ContainerId, ContainerSpec, InstallId } from '../../ports/runtime.js';
import { LABELS } from '../spec-labels.js';
import { currentBootId, findProcess } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';

/** Variable in the environment of every runner: its container's labels. Whatever it starts inherits it. */
export const MARKER_VARIABLE = 'NIGHTPORTER_CONTAINER';

export interface Labels {
  readonly id: ContainerId;
  readonly install: InstallId;
  /** Undefined when the label is no address. */
  readonly session: SessionAddress | undefined;
  readonly epoch: Epoch;
  readonly specHash: string;
}

export interface MarkedProcess {
  readonly labels: Labels;
  readonly identity: ProcessIdentity;
}

const SCAN_WIDTH = 32;
const ID_LABEL = 'nightporter.container';

export function labelsOf(id: ContainerId, spec: ContainerSpec): Labels {
  return { id, install: spec.install, session: spec.session, epoch: spec.epoch, specHash: spec.specHash };
}

export function formatLabels(labels: Labels): string {
  return JSON.stringify({
    [ID_LABEL]: labels.id,
    [LABELS.install]: labels.install,
    [LABELS.session]: labels.session,
    [LABELS.epoch]: labels.epoch,
    [LABELS.spec]: labels.specHash,
  });
}

/** Undefined for what no runtime of ours wrote. */
export function parseLabels(text: string): Labels | undefined {
  try {
    const found = JSON.parse(text) as Record<string, unknown> | null;
    const id = found?.[ID_LABEL];
    const install = found?.[LABELS.install];
    const session = found?.[LABELS.session];
    const epoch = found?.[LABELS.epoch];
    const specHash = found?.[LABELS.spec];
    if (typeof id !== 'string' || typeof install !== 'string' || typeof specHash !== 'string') return undefined;
    return {
      id: id as ContainerId,
      install: install as InstallId,
      session: typeof session === 'string' ? findAddress(session)?.address : undefined,
      epoch: epochOf(Number(epoch)),
      specHash,
    };
  } catch {
    return undefined;
  }
}

/**
 * Every live process that carries the marker of this install, this one and its children aside (a daemon may itself
 * have been started from within a container). Linux only; elsewhere none is found, and lost files mean lost runners.
 */
export async function findMarked(install: InstallId): Promise<readonly MarkedProcess[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: MarkedProcess[] = [];
  const bootId = pids.length === 0 ? '' : await currentBootId();
  let next = 0;
  const scan = async (): Promise<void> => {
    for (;;) {
      const pid = pids[next];
      next += 1;
      if (pid === undefined) return;
      const labels = pid === process.pid ? undefined : await readMarker(pid);
      if (labels?.install !== install) continue;
      const stat = await findProcess(pid);
      if (stat === undefined || stat.zombie || stat.parent === process.pid) continue;
      found.push({ labels, identity: { bootId, pid, start: stat.start } });
    }
  };
  await Promise.all(Array.from({ length: SCAN_WIDTH }, scan));
  return found;
}

/** The first of a container's processes: its runner, or the oldest that it left. */
export function eldest(processes: readonly MarkedProcess[]): MarkedProcess | undefined {
  return processes.reduce<MarkedProcess | undefined>(
    (oldest, one) =>
      oldest === undefined || Number(one.identity.start) < Number(oldest.identity.start) ? one : oldest,
    undefined,
  );
}

async function readMarker(pid: number): Promise<Labels | undefined> {
  const prefix = `${MARKER_VARIABLE}=`;
  try {
    const environment = await readFile(`/proc/${String(pid)}/environ`, 'utf8');
    if (!environment.includes(prefix)) return undefined;
    const marker = environment.split('\0').find((variable) => variable.startsWith(prefix));
    return marker === undefined ? undefined : parseLabels(marker.slice(prefix.length));
  } catch {
    // Gone meanwhile, or another user's.
    return undefined;
  }
}
