/**
 * Parent of one runner on the process runtime; outlives the daemon. Waits for a ShimOrder on stdin, maybe for long,
 * and gives its ShimAnswer on descriptor 3. Loads as little as it can: a wake may have to wait for it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { BoundedOutput } from './bounded-output.js';
import { EXIT_FILE, OLDER_OUTPUT_FILE, OUTPUT_FILE, OUTPUT_FILE_MAX_BYTES } from './container-files.js';
import { RUNNER_FILE, SHIM_FILE } from './container-files.js';
import type { ExitRecord, RunnerRecord, ShimAnswer, ShimOrder, ShimRecord } from './container-files.js';
import { identifySync, sendSignal } from './process-identity.js';

/** How long a descendant that left the group may hold the output open after the runner is gone. */
const OUTPUT_DRAIN_MS = 250;

/** The machine's state, not the fault of what was to be started. */
const MACHINE_ERRORS = ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'EIO'];

type Runner = ChildProcessByStdio<null, Readable, Readable>;

function main(): void {
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  const text = readFileSync(0, 'utf8');
  // The daemon died before it had said what to start.
  if (text === '') return;
  const order = JSON.parse(text) as ShimOrder;

  try {
    if (!takeFence(order.folder)) {
      answer({ kind: 'void' });
      return;
    }
  } catch (error) {
    answer({ kind: 'failed', detail: `cannot write ${order.folder}/${SHIM_FILE}: ${messageOf(error)}` });
    return;
  }
  supervise(order);
}

function supervise(order: ShimOrder): void {
  const runner = start(order);
  const pid = runner?.pid;
  if (runner === undefined || pid === undefined) return;
  process.on('SIGTERM', () => runner.kill('SIGTERM'));

  const identity = identifySync(pid);
  if (identity === undefined) {
    sendSignal(-pid, 'SIGKILL');
    answer({ kind: 'failed', detail: `cannot read the start time of process ${String(pid)}` });
    return;
  }
  const record: RunnerRecord = { runner: identity, startedAtMs: Date.now() };
  try {
    writeRecord(`${order.folder}/${RUNNER_FILE}`, record, 'fast');
  } catch {
    // A full disk: the runner is still found by its environment.
  }
  answer({ kind: 'started', runner: record });
  watch(runner, pid, order.folder);
}

/** Answers for a runner that cannot be started. */
function start({ runner: [program = '', ...args], cwd, environment }: ShimOrder): Runner | undefined {
  const fail = (error: Error): void => {
    const detail = `cannot start ${program}: ${error.message}`;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    answer({ kind: MACHINE_ERRORS.includes(code) ? 'failed' : 'refused', detail });
  };
  try {
    const runner: Runner = spawn(program, args, {
      cwd,
      env: { ...environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    runner.once('error', fail);
    return runner;
  } catch (error) {
    fail(error as Error);
    return undefined;
  }
}

function watch(runner: Runner, pid: number, folder: string): void {
  const output = new BoundedOutput({
    file: `${folder}/${OUTPUT_FILE}`,
    older: `${folder}/${OLDER_OUTPUT_FILE}`,
    maxBytes: OUTPUT_FILE_MAX_BYTES,
  });
  const take = (chunk: Buffer): void => {
    output.write(chunk);
  };
  runner.stdout.on('data', take);
  runner.stderr.on('data', take);
  runner.once('exit', (exitCode, signal) => {
    const exit: ExitRecord = { exitCode, signal, finishedAtMs: Date.now() };
    sendSignal(-pid, 'SIGKILL');
    const finish = (): void => {
      try {
        writeRecord(`${folder}/${EXIT_FILE}`, exit, 'durable');
      } catch (error) {
        output.write(Buffer.from(`nightporter: cannot record the exit of the runner: ${messageOf(error)}\n`));
      }
      process.exit(0);
    };
    runner.once('close', finish);
    setTimeout(finish, OUTPUT_DRAIN_MS);
  });
}

/** False: the start was voided meanwhile. */
function takeFence(folder: string): boolean {
  const shim = identifySync(process.pid);
  if (shim === undefined) throw new Error('cannot read its own start time');
  const record: ShimRecord = { kind: 'shim', shim };
  const temporary = `${folder}/${SHIM_FILE}.${String(process.pid)}`;
  writeText(temporary, JSON.stringify(record), 'fast');
  try {
    linkSync(temporary, `${folder}/${SHIM_FILE}`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

function writeRecord(file: string, record: RunnerRecord | ExitRecord, how: 'fast' | 'durable'): void {
  writeText(`${file}.new`, JSON.stringify(record), how);
  renameSync(`${file}.new`, file);
  if (how === 'fast') return;
  const folder = openSync(file.slice(0, file.lastIndexOf('/')), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function writeText(file: string, text: string, how: 'fast' | 'durable'): void {
  const fd = openSync(file, 'w', 0o600);
  try {
    writeSync(fd, text);
    if (how === 'durable') fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function answer(text: ShimAnswer): void {
  try {
    writeSync(3, JSON.stringify(text));
    closeSync(3);
  } catch {
    // The daemon is gone; its successor reads the files.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main();
