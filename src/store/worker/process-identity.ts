import { readFile } from 'node:fs/promises';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as /proc has it. */
  readonly startTime: string;
}

const START_TIME_FIELD = 22;

/** undefined where the process is gone or the system has no /proc. */
export async function findIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readText(`/proc/${String(pid)}/stat`);
  if (stat === undefined) return undefined;
  // The second field, the program's name, may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[START_TIME_FIELD - 3];
  return startTime === undefined || state === 'Z' || state === 'X' ? undefined : { pid, startTime };
}

export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  return (await findIdentity(identity.pid))?.startTime === identity.startTime;
}

/** Resident memory in bytes; undefined where that cannot be told. */
export async function findResidentBytes(pid: number): Promise<number | undefined> {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec((await readText(`/proc/${String(pid)}/status`)) ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Tells boots apart: start times begin anew with each. */
export async function findBootId(): Promise<string | undefined> {
  return (await readText('/proc/sys/kernel/random/boot_id'))?.trim();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
