import type { Examined } from '../../ports/examination.js';
import type { Finding } from './finding.js';
import { ok, problem, together, warning } from './finding.js';

const NODE_MIN = [20, 19] as const;
const ARCHITECTURES = ['x64', 'arm64'];
const PLATFORMS = ['linux', 'darwin'];
const YEAR_MIN = 2026;
const YEAR_MAX = 2100;
/** A file's time and the clock come from one kernel, but for file systems of other machines. */
const SKEW_WARNING_MS = 5_000;
const SKEW_PROBLEM_MS = 60_000;
/** The wall clock against the monotonic one, within seconds. */
const STEP_MS = 1_000;

export function nodeFinding(of: {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  readonly program: string;
}): Finding {
  const [major = 0, minor = 0] = of.version.replace(/^v/, '').split('.').map(Number);
  const found = `Nightporter ${of.program} on Node ${of.version}, ${of.platform} ${of.arch}`;
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    return problem(`${found} is too old`, `install Node ${NODE_MIN.join('.')} or newer, then build again`);
  }
  if (!PLATFORMS.includes(of.platform)) {
    return warning(`${found} is not supported`, 'use Linux (on Windows within WSL 2) or macOS');
  }
  if (!ARCHITECTURES.includes(of.arch)) return warning(`${found} was never tried`, 'use x64 or arm64 where you can');
  return ok(found);
}

export function sqliteFinding(examined: Examined<string>): Finding {
  if (examined.kind === 'done') return ok(`SQLite ${examined.value}`);
  const [first = ''] = examined.detail.split('\n');
  return problem(
    `SQLite does not load: ${first}`,
    'its addon was made for another Node or machine: run "npm rebuild better-sqlite3" (or "npm ci") with the Node that runs the daemon',
  );
}

export interface ClockFacts {
  readonly nowMs: number;
  /** How far the wall clock moved more than the monotonic one since the doctor began. */
  readonly stepMs: number;
  /** Of a file written just now, against the clock; undefined: none could be written. */
  readonly fileSkewMs: number | undefined;
  /** The newest time that the registry knows of the past. */
  readonly newestKnownMs: number | undefined;
}

export function clockFinding({ nowMs, stepMs, fileSkewMs, newestKnownMs }: ClockFacts): Finding {
  const sync = 'set the clock, and keep it with a time service (timedatectl set-ntp true)';
  const findings: Finding[] = [];
  const year = new Date(nowMs).getUTCFullYear();
  if (year < YEAR_MIN || year > YEAR_MAX) findings.push(problem(`the clock says that it is ${year}`, sync));
  if (Math.abs(stepMs) > STEP_MS) {
    findings.push(warning(`the clock jumped by ${seconds(stepMs)} while it was looked at`, sync));
  }
  if (fileSkewMs !== undefined && Math.abs(fileSkewMs) > SKEW_WARNING_MS) {
    const detail = `a file written just now is ${seconds(Math.abs(fileSkewMs))} ${fileSkewMs > 0 ? 'ahead of' : 'behind'} the clock`;
    const remedy = 'the data dir is on a file system of another clock: move it to a local one';
    findings.push(Math.abs(fileSkewMs) > SKEW_PROBLEM_MS ? problem(detail, remedy) : warning(detail, remedy));
  }
  if (newestKnownMs !== undefined && newestKnownMs - nowMs > SKEW_WARNING_MS) {
    findings.push(
      warning(`the last round was ${seconds(newestKnownMs - nowMs)} in the future`, `it was set back: ${sync}`),
    );
  }
  return findings.length === 0 ? ok(new Date(nowMs).toISOString()) : together(findings);
}

/** `zone` as Node resolved it from `TZ` or the system. */
export function timeZoneFinding(variable: string | undefined, zone: string | undefined): Finding {
  if (variable !== undefined && variable !== '' && !isZone(variable)) {
    return warning(
      `TZ is ${JSON.stringify(variable)}, which is no time zone: UTC is used`,
      'give it a name like Europe/Paris, or unset it',
    );
  }
  if (zone === undefined || zone === 'Etc/Unknown') {
    return warning('the time zone of this machine is not known: UTC is used', 'set one (timedatectl set-timezone)');
  }
  return ok(zone);
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name.replace(/^:/, '') });
    return true;
  } catch {
    // POSIX forms (CET-1CEST) and paths are taken by the C library, not by Node.
    return false;
  }
}

function seconds(durationMs: number): string {
  return `${Math.round(Math.abs(durationMs) / 1000)} s`;
}
