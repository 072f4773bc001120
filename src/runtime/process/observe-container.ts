import { readlink } from 'node:fs/promises';
import { isAlive } from './process-identity.js';
import type { ProcessIdentity } from './process-identity.js';
import { EXIT_FILE, RUNNER_FILE, SHIM_FILE, VOID_FENCE } from './container-files.js';
import type { ExitRecord, RunnerRecord } from './container-files.js';
import { identityOf, readRecord } from './json-record.js';
import { eldest, findMarked } from './process-marker.js';
import type { IndexEntry } from './run-index.js';

export type Observed =
  | { readonly state: 'created' }
  | { readonly state: 'running'; readonly runner: ProcessIdentity; readonly startedAtMs: number }
  /** `startedAtMs` null: it never started, as far as its files tell. */
  | { readonly state: 'exited'; readonly startedAtMs: number | null };

/**
 * What the processes and files of a container say. `mayStart`: asked when no shim has taken its fence yet, whether
 * one may still come.
 */
export async function observeContainer(entry: IndexEntry, mayStart: () => Promise<boolean>): Promise<Observed> {
  const recorded = await readRunner(entry.folder);
  if ((await readExit(entry.folder)) !== undefined) {
    return { state: 'exited', startedAtMs: recorded?.startedAtMs ?? null };
  }
  if (recorded !== undefined) {
    return (await isAlive(recorded.runner))
      ? { state: 'running', ...recorded }
      : { state: 'exited', startedAtMs: recorded.startedAtMs };
  }
  // Asked before the processes are scanned: a shim that is dead by now starts nothing after the scan.
  const fence = await readFence(entry.folder);
  const starting = fence === undefined ? await mayStart() : fence.kind === 'shim' && (await isAlive(fence.shim));
  const found = eldest((await findMarked(entry.labels.install)).filter((one) => one.labels.id === entry.labels.id));
  if (found !== undefined) return { state: 'running', runner: found.identity, startedAtMs: entry.createdAtMs };
  return starting ? { state: 'created' } : { state: 'exited', startedAtMs: null };
}

export async function readRunner(folder: string): Promise<RunnerRecord | undefined> {
  const found = await readRecord(`${folder}/${RUNNER_FILE}`);
  const runner = identityOf(found?.['runner']);
  const startedAtMs = found?.['startedAtMs'];
  return runner === undefined || typeof startedAtMs !== 'number' ? undefined : { runner, startedAtMs };
}

export async function readExit(folder: string): Promise<ExitRecord | undefined> {
  const found = await readRecord(`${folder}/${EXIT_FILE}`);
  const finishedAtMs = found?.['finishedAtMs'];
  if (found === undefined || typeof finishedAtMs !== 'number') return undefined;
  const { exitCode, signal } = found;
  return {
    exitCode: typeof exitCode === 'number' ? exitCode : null,
    signal: typeof signal === 'string' ? signal : null,
    finishedAtMs,
  };
}

export async function readFence(
  folder: string,
): Promise<{ readonly kind: 'shim'; readonly shim: ProcessIdentity } | { readonly kind: 'void' } | undefined> {
  const file = `${folder}/${SHIM_FILE}`;
  const found = await readRecord(file);
  if (found === undefined) return (await isVoid(file)) ? { kind: 'void' } : undefined;
  const shim = identityOf(found['shim']);
  return shim === undefined ? { kind: 'void' } : { kind: 'shim', shim };
}

async function isVoid(file: string): Promise<boolean> {
  try {
    return (await readlink(file)) === VOID_FENCE;
  } catch {
    // No link, or nothing at all.
    return false;
  }
}
