import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A process that no later one can be mistaken for: pids are reused, this triple is not. */
export interface ProcessIdentity {
  readonly bootId: string;
  readonly pid: number;
  /** Linux: clock ticks since boot, decimal; macOS: `ps -o lstart=`. */
  readonly start: string;
}

export interface ProcessStat {
  /** A zombie is gone: it only waits for its parent to look. */
  readonly zombie: boolean;
  readonly parent: number;
  readonly start: string;
}

const MACOS = process.platform === 'darwin';
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
const BOOT_ID_SYSCTL = ['-n', 'kern.bootsessionuuid'];

/** USER_HZ, 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

let bootId: Promise<string> | undefined;

/** The same until the machine boots again. */
export function currentBootId(): Promise<string> {
  bootId ??= MACOS ? run('sysctl', BOOT_ID_SYSCTL) : readFile(BOOT_ID_FILE, 'utf8').then((text) => text.trim());
  return bootId;
}

let self: Promise<ProcessIdentity> | undefined;

/** This process. */
export function identifySelf(): Promise<ProcessIdentity> {
  self ??= Promise.all([currentBootId(), findProcess(process.pid)]).then(([boot, stat]) => {
    if (stat === undefined) throw new Error('cannot read the start time of this process');
    return { bootId: boot, pid: process.pid, start: stat.start };
  });
  return self;
}

/** Undefined: there is no such process. */
export async function findProcess(pid: number): Promise<ProcessStat | undefined> {
  try {
    return MACOS
      ? parsePs(await run('ps', psArguments(pid)))
      : parseStat(await readFile(`/proc/${String(pid)}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.bootId !== (await currentBootId())) return false;
  const found = await findProcess(identity.pid);
  return found !== undefined && !found.zombie && found.start === identity.start;
}

/** When it started, wall clock, to about a second. */
export async function estimateStartMs({ start }: ProcessIdentity): Promise<number | null> {
  if (MACOS) return validOrNull(Date.parse(start));
  const bootedAtS = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1];
  return validOrNull(Number(bootedAtS) * 1000 + Number(start) * MS_PER_TICK);
}

/** Signals that very process; false: it is gone. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  return sendSignal(identity.pid, signal);
}

/** A negative pid names a process group. False: there is none. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Blocks for a moment: for the shim, which has nothing else to do. */
export function identifySync(pid: number): ProcessIdentity | undefined {
  try {
    if (MACOS) {
      const ps = parsePs(execFileSync('ps', psArguments(pid), { encoding: 'utf8' }));
      const boot = execFileSync('sysctl', BOOT_ID_SYSCTL, { encoding: 'utf8' }).trim();
      return ps === undefined ? undefined : { bootId: boot, pid, start: ps.start };
    }
    const stat = parseStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
    return stat === undefined
      ? undefined
      : { bootId: readFileSync(BOOT_ID_FILE, 'utf8').trim(), pid, start: stat.start };
  } catch {
    return undefined;
  }
}

function validOrNull(epochMs: number): number | null {
  return Number.isNaN(epochMs) ? null : epochMs;
}

/** The program's name may hold spaces and parentheses; what follows its last `)` begins with field 3, the state. */
function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const start = fields[22 - 3];
  if (state === undefined || start === undefined) return undefined;
  return { zombie: state === 'Z' || state === 'X', parent: Number(fields[4 - 3]), start };
}

function parsePs(text: string): ProcessStat | undefined {
  const [, state, parent, start] = /^\s*(\S+)\s+(\d+)\s+(.+?)\s*$/.exec(text) ?? [];
  if (state === undefined || start === undefined) return undefined;
  return { zombie: state.startsWith('Z'), parent: Number(parent), start };
}

function psArguments(pid: number): string[] {
  return ['-o', 'stat=,ppid=,lstart=', '-p', String(pid)];
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout.trim();
}
