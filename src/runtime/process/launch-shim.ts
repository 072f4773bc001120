import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { OUTPUT_FILE } from './container-files.js';
import type { ShimAnswer, ShimOrder } from './container-files.js';
import { identityOf, parseRecord } from './json-record.js';

export interface LaunchedShim {
  readonly answer: ShimAnswer;
  /** Settles when the shim is gone; it is its last act to record the runner's exit. */
  readonly exited: Promise<void>;
}

/**
 * Starts a shim, gives it its order and waits for its answer. It gets no pipe that matters afterwards and none of the
 * daemon's environment. When `signal` aborts it is killed.
 */
export async function launchShim(
  { nodePath, shimEntry, name }: { readonly nodePath: string; readonly shimEntry: string; readonly name: string },
  order: ShimOrder,
  signal: AbortSignal,
): Promise<LaunchedShim> {
  // What the shim itself complains about goes to the runner's output: there is nobody else to read it later.
  const complaints = await open(`${order.folder}/${OUTPUT_FILE}`, 'a', 0o600);
  let shim: ChildProcess;
  try {
    shim = spawn(nodePath, [shimEntry, name], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', complaints.fd, 'pipe'],
    });
  } finally {
    await complaints.close();
  }
  const exited = new Promise<void>((resolve) => {
    shim.once('exit', () => {
      resolve();
    });
    shim.once('error', () => {
      resolve();
    });
  });
  const kill = (): void => {
    shim.kill('SIGKILL');
  };
  if (signal.aborted) kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    const answer = await converse(shim, order);
    return { answer, exited };
  } finally {
    signal.removeEventListener('abort', kill);
    shim.unref();
  }
}

function converse(shim: ChildProcess, order: ShimOrder): Promise<ShimAnswer> {
  return new Promise((resolve) => {
    const pipe = shim.stdio[3] as Readable | undefined;
    let text = '';
    const settle = (answer: ShimAnswer): void => {
      pipe?.destroy();
      shim.stdin?.destroy();
      resolve(answer);
    };
    shim.once('error', (error) => {
      settle({ kind: 'failed', detail: `cannot start the shim: ${error.message}` });
    });
    shim.stdin?.on('error', () => undefined);
    shim.stdin?.end(JSON.stringify(order));
    pipe?.on('error', () => undefined);
    pipe?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    pipe?.once('close', () => {
      settle(parseAnswer(text) ?? { kind: 'failed', detail: 'the shim ended before it had started the runner' });
    });
  });
}

function parseAnswer(text: string): ShimAnswer | undefined {
  const found = parseRecord(text);
  const kind = found?.['kind'];
  if (kind === 'void') return { kind };
  if (kind === 'refused' || kind === 'failed') return { kind, detail: String(found?.['detail']) };
  const record = found?.['runner'] as Readonly<Record<string, unknown>> | undefined;
  const runner = identityOf(record?.['runner']);
  const startedAtMs = record?.['startedAtMs'];
  if (kind !== 'started' || runner === undefined || typeof startedAtMs !== 'number') return undefined;
  return { kind, runner: { runner, startedAtMs } };
}
