import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.js';
import type { Finding } from './finding.js';
import { ok, problem } from './finding.js';
import type { DaemonAnswer } from './world.js';

/** Names of the store's: it alone opens the lock, and any close in the holder's process would drop it. */
const LOCK_FILE = 'nightporter.lock';
const HOLDER_FILE = 'nightporter.pid';

export interface Holder {
  readonly pid: number;
  /** SIGSTOP, a debugger, or a frozen cgroup. */
  readonly isStopped: boolean;
}

/** Who holds the host lock, without opening it: as the kernel tells, or else the note that the holder left. */
export function findHolder(dataDir: string): Holder | undefined {
  const stats = statSync(join(dataDir, LOCK_FILE), { throwIfNoEntry: false, bigint: true });
  if (stats === undefined) return undefined;
  const noted = notedPid(dataDir);
  const locks = textOf('/proc/locks');
  const pid =
    locks === undefined ? aliveOrUndefined(noted) : holderIn(locks, { dev: stats.dev, ino: stats.ino }, noted);
  return pid === undefined ? undefined : { pid, isStopped: isStopped(pid) };
}

/**
 * The process with a write lock on a file, of /proc/locks. Some file systems show another device there than to `stat`:
 * then the note that the holder left has to agree.
 */
export function holderIn(
  locks: string,
  file: { readonly dev: bigint; readonly ino: bigint },
  noted: number | undefined,
): number | undefined {
  const major = ((file.dev >> 8n) & 0xfffn) | ((file.dev >> 32n) & ~0xfffn);
  const minor = (file.dev & 0xffn) | ((file.dev >> 12n) & ~0xffn);
  const device = `${hex(major)}:${hex(minor)}`;
  for (const line of locks.split('\n')) {
    // Lines with an arrow wait for a lock.
    const match = /^\d+:\s+POSIX\s+\S+\s+WRITE\s+(\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s/.exec(line);
    if (match === null) continue;
    const [, pid, on, inode] = match;
    if (inode === String(file.ino) && (on === device || Number(pid) === noted)) return Number(pid);
  }
  return undefined;
}

/** A command that writes holds it for a moment, a daemon that starts does so before it listens. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 200;

/** Asks again while the lock is held and nothing answers: who holds it may be about to listen, or to leave. */
export async function untilClear(
  look: () => Holder | undefined,
  ask: () => Promise<DaemonAnswer>,
  clock: Clock,
): Promise<{ readonly holder: Holder | undefined; readonly daemon: DaemonAnswer }> {
  const deadlineMs = clock.monotonic() + PATIENCE_MS;
  for (;;) {
    const daemon = await ask();
    const holder = look();
    const isClear = daemon.kind === 'answers' || holder === undefined || holder.isStopped;
    if (isClear || daemon.kind === 'silent' || clock.monotonic() >= deadlineMs) return { holder, daemon };
    await new Promise<void>((resolve) => {
      clock.after(PAUSE_MS, resolve);
    });
  }
}

export function lockFinding(holder: Holder | undefined, daemon: DaemonAnswer): Finding {
  if (daemon.kind === 'answers') return ok(`held by the daemon, process ${daemon.pid}, which answers`);
  if (holder === undefined) {
    if (daemon.kind === 'none') return ok('free: no daemon runs');
    return problem(
      `something listens at the daemon's socket and does not answer (${daemon.detail})`,
      'look for the process ("ss -xlp | grep nightporter"), look at its log, and end it if it hangs',
    );
  }
  const { pid } = holder;
  if (holder.isStopped) {
    return problem(
      `held by process ${pid}, which is stopped (SIGSTOP or a debugger)`,
      `let it go on with "kill -CONT ${pid}", or end it with "kill -9 ${pid}" and start the daemon again`,
    );
  }
  return problem(
    `held by process ${pid}, which does not answer${daemon.kind === 'silent' ? ` (${daemon.detail})` : ''}`,
    `look at its log; end it with "kill ${pid}", after 15 s with "kill -9 ${pid}", then start the daemon again: no message is lost`,
  );
}

function notedPid(dataDir: string): number | undefined {
  const pid = /^pid (\d+)/.exec(textOf(join(dataDir, HOLDER_FILE)) ?? '')?.[1];
  return pid === undefined ? undefined : Number(pid);
}

function aliveOrUndefined(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? pid : undefined;
  }
}

function isStopped(pid: number): boolean {
  const stat = textOf(`/proc/${pid}/stat`) ?? '';
  return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function hex(number: bigint): string {
  return number.toString(16).padStart(2, '0');
}
