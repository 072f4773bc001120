import { symlink } from 'node:fs/promises';
import type { ContainerId, InstallId } from '../../ports/runtime.js';
import { SHIM_FILE, VOID_FENCE } from './container-files.js';
import { errorCode } from './json-record.js';
import { readExit, readFence } from './observe-container.js';
import { isAlive, sendSignal, signalProcess } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';
import { findMarked } from './process-marker.js';
import type { IndexEntry } from './run-index.js';

/** Never busier: exits of processes that are not our children can only be polled for. */
const POLL_MS = 100;
/** How long what was killed may take to be gone. */
export const KILL_CONFIRM_MS = 5_000;
/** How long a shim may take to record an exit: it waits for the rest of the output, then for the disk. */
const RECORD_MS = 10_000;

/** False: not within `timeoutMs`. `wake` settles when there is reason to look at once. */
export async function until(
  isTrue: () => Promise<boolean>,
  timeoutMs: number,
  wake: Promise<void> = new Promise(() => undefined),
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  let wakeOnce: Promise<void> | undefined = wake.then(() => {
    wakeOnce = undefined;
  });
  for (;;) {
    if (await isTrue()) return true;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) return false;
    await delay(Math.min(POLL_MS, leftMs), wakeOnce);
  }
}

/** Makes sure that no shim starts the runner any more; ends one that already did, or may have. */
export async function voidStart(entry: IndexEntry): Promise<void> {
  await putVoidFence(entry.folder);
  const fence = await readFence(entry.folder);
  if (fence?.kind !== 'shim') return;
  const { shim } = fence;
  await signalProcess(shim, 'SIGKILL');
  await until(async () => !(await isAlive(shim)), KILL_CONFIRM_MS);
}

/** A link that leads nowhere: exclusive, whole at once, and a full disk has room for it. */
async function putVoidFence(folder: string): Promise<void> {
  try {
    await symlink(VOID_FENCE, `${folder}/${SHIM_FILE}`);
  } catch (error) {
    // Without its folder a shim cannot take the fence either.
    if (errorCode(error) !== 'EEXIST' && errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Kills every process that carries the container's marker. False: some are still there. */
export async function endMarked(install: InstallId, id: ContainerId): Promise<boolean> {
  return until(async () => {
    const left = (await findMarked(install)).filter((one) => one.labels.id === id);
    for (const { identity } of left) await signalProcess(identity, 'SIGKILL');
    return left.length === 0;
  }, KILL_CONFIRM_MS);
}

/** KILL for the runner and the group that it leads. */
export async function killGroup(runner: ProcessIdentity): Promise<void> {
  if (!(await isAlive(runner))) return;
  sendSignal(-runner.pid, 'SIGKILL');
  sendSignal(runner.pid, 'SIGKILL');
}

/** Resolves when the exit is recorded, or no shim is left to record it. */
export async function untilRecorded(folder: string, wake: Promise<void> | undefined): Promise<void> {
  await until(
    async () => {
      if ((await readExit(folder)) !== undefined) return true;
      const fence = await readFence(folder);
      return fence?.kind !== 'shim' || !(await isAlive(fence.shim));
    },
    RECORD_MS,
    wake,
  );
}

function delay(ms: number, wake: Promise<void> | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void wake?.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
