import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Leash } from './leash.js';
import type { ProgramEnd } from './verdict.js';

export interface ProgramOptions {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: string;
  readonly maxStdoutBytes: number;
  /** Takes stdout as it comes; nothing of it is kept then. */
  readonly onStdout?: (chunk: Buffer) => void;
  /** Between TERM, sent when `stop` aborts, and KILL. */
  readonly graceMs: number;
  readonly stop: AbortSignal;
  readonly leash: Leash;
  readonly onStderr: (chunk: Buffer) => void;
  /** Any sign of life on stdout or stderr. */
  readonly onOutput: () => void;
}

/** What keeps the program's output open after its own end has this long to finish writing. */
const LINGER_MS = 2_000;
/** After the group was killed; something may still hold the pipes from outside of it. */
const DRAIN_MS = 500;
const NOTHING = Buffer.alloc(0);

/**
 * Runs a program without a shell, in a process group of its own, to its end; afterwards nothing of that group is left.
 * `stop` sends it TERM; the group is killed after the grace.
 */
export async function runProgram(
  options: ProgramOptions,
): Promise<{ readonly end: ProgramEnd; readonly stdout: Buffer; readonly outlivedGrace: boolean }> {
  const [program, ...args] = options.command;
  options.leash.start();
  const spawned = await trySpawn(program, args, options);
  if (spawned.kind === 'not_started') return { end: spawned, stdout: NOTHING, outlivedGrace: false };
  const { child, groupId } = spawned;

  const output = new BoundedOutput(options.maxStdoutBytes, options.onStdout);
  let outlivedGrace = false;
  child.stdout?.on('data', (chunk: Buffer) => {
    if (!output.push(chunk)) killGroup(groupId);
    options.onOutput();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    options.onStderr(chunk);
    options.onOutput();
  });
  // A program that does not read its input is fine.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.stdin);

  let killTimer: NodeJS.Timeout | undefined;
  const terminate = (): void => {
    child.kill('SIGTERM');
    killTimer = setTimeout(() => {
      outlivedGrace = true;
      killGroup(groupId);
    }, options.graceMs);
  };
  if (options.stop.aborted) terminate();
  else options.stop.addEventListener('abort', terminate);

  const end = await waitForEnd(child, groupId, options.stop);
  clearTimeout(killTimer);
  options.stop.removeEventListener('abort', terminate);
  killGroup(groupId);
  options.leash.release();
  if (output.isOver)
    return { end: { kind: 'too_much_output', maxBytes: options.maxStdoutBytes }, stdout: NOTHING, outlivedGrace };
  return { end, stdout: output.take(), outlivedGrace };
}

class BoundedOutput {
  readonly #maxBytes: number;
  readonly #take: (chunk: Buffer) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, take?: (chunk: Buffer) => void) {
    this.#maxBytes = maxBytes;
    this.#take = take ?? ((chunk) => this.#chunks.push(chunk));
  }

  get isOver(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** false: it is too much, and nothing of it is kept. */
  push(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.isOver) this.#chunks = [];
    else this.#take(chunk);
    return !this.isOver;
  }

  take(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

type Spawned =
  | { readonly kind: 'running'; readonly child: ChildProcess; readonly groupId: number }
  | { readonly kind: 'not_started'; readonly code: string };

async function trySpawn(program: string, args: readonly string[], options: ProgramOptions): Promise<Spawned> {
  try {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      shell: false,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const failure = new Promise<Error>((resolve) => {
      // Once it runs, an error is a signal that finds nobody, and changes nothing.
      child.on('error', resolve);
    });
    if (child.pid === undefined) return { kind: 'not_started', code: codeOf(await failure) };
    options.leash.hold(child.pid);
    return { kind: 'running', child, groupId: child.pid };
  } catch (error) {
    // E2BIG and its like are thrown instead.
    return { kind: 'not_started', code: codeOf(error) };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown';
}

/** Its exit, and then the end of its output or of the patience with those that still hold it open. */
function waitForEnd(child: ChildProcess, groupId: number, stop: AbortSignal): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    let end: ProgramEnd = { kind: 'killed', signal: 'unknown signal' };
    const timers: NodeJS.Timeout[] = [];
    const finish = (): void => {
      timers.forEach(clearTimeout);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(end);
    };
    child.once('exit', (code, signal) => {
      end = code === null ? { kind: 'killed', signal: signal ?? 'unknown signal' } : { kind: 'exited', code };
      const lingerMs = stop.aborted ? 0 : LINGER_MS;
      timers.push(setTimeout(killGroup, lingerMs, groupId), setTimeout(finish, lingerMs + DRAIN_MS));
    });
    child.once('close', finish);
  });
}

function killGroup(groupId: number): void {
  try {
    process.kill(-groupId, 'SIGKILL');
  } catch {
    // ESRCH: nothing is left of it.
  }
}
