import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { LoopTurns } from '../../protocol/loop-turns.js';
import type { ShimAnswer, ShimOrder } from './container-files.js';
import { identityOf, parseRecord } from './json-record.js';

export interface LaunchedShim {
  readonly answer: ShimAnswer;
  /** Settles when the shim is gone; it is its last act to record the runner's exit. */
  readonly exited: Promise<void>;
}

/** A shim that waits for its order. Ends by itself when this process does. */
interface WaitingShim {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  readonly complaint: () => string;
}

/** A new shim does not compete with the runner that the last one has just started. */
const REFILL_MS = 500;
const COMPLAINT_MAX_CHARS = 2048;

/**
 * Starts shims and gives them their orders. One shim is kept waiting, because a wake should not have to wait until
 * two Node processes are up, one after the other.
 */
export class ShimLauncher {
  readonly #nodePath: string;
  readonly #shimEntry: string;
  readonly #turns: LoopTurns;
  #spare: WaitingShim | undefined;
  #refill: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(nodePath: string, shimEntry: string, turns: LoopTurns) {
    this.#nodePath = nodePath;
    this.#shimEntry = shimEntry;
    this.#turns = turns;
  }

  /** Has a shim waiting from now on, and a new one soon after every start. */
  async prepare(): Promise<void> {
    await this.#turns.next();
    if (this.#closed || this.#spare !== undefined) return;
    const spare = this.#spawn();
    this.#spare = spare;
    void spare.exited.then(() => {
      if (this.#spare === spare) this.#spare = undefined;
    });
  }

  /** When `signal` aborts the shim is killed. */
  async launch(order: ShimOrder, signal: AbortSignal): Promise<LaunchedShim> {
    const shim = this.#takeSpare() ?? (await this.#spawnInTurn());
    const kill = (): void => {
      shim.process.kill('SIGKILL');
    };
    if (signal.aborted) kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      return { answer: await converse(shim, order), exited: shim.exited };
    } finally {
      signal.removeEventListener('abort', kill);
      this.#refill ??= setTimeout(() => {
        this.#refill = undefined;
        void this.prepare();
      }, REFILL_MS).unref();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#refill);
    this.#spare?.process.kill('SIGKILL');
    this.#spare = undefined;
  }

  #takeSpare(): WaitingShim | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  /** A start holds the event loop for milliseconds: never two in one turn of it. */
  async #spawnInTurn(): Promise<WaitingShim> {
    await this.#turns.next();
    return this.#spawn();
  }

  /** Nothing of the daemon's environment; its pipes matter only until it has answered. */
  #spawn(): WaitingShim {
    const shim = spawn(this.#nodePath, [this.#shimEntry], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<void>((resolve) => {
      shim.once('exit', () => {
        resolve();
      });
      shim.once('error', () => {
        resolve();
      });
    });
    let complaint = '';
    shim.stderr?.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('utf8')).slice(-COMPLAINT_MAX_CHARS);
    });
    for (const pipe of pipesOf(shim)) {
      pipe.on('error', () => undefined);
      pipe.unref();
    }
    shim.unref();
    return { process: shim, exited, complaint: () => complaint };
  }
}

function converse({ process: shim, complaint }: WaitingShim, order: ShimOrder): Promise<ShimAnswer> {
  return new Promise((resolve) => {
    const answers = shim.stdio[3] as Readable;
    let text = '';
    const settle = (answer: ShimAnswer): void => {
      for (const pipe of pipesOf(shim)) pipe.destroy();
      resolve(answer);
    };
    shim.once('error', (error) => {
      settle({ kind: 'failed', detail: `cannot start the shim: ${error.message}` });
    });
    answers.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    answers.once('end', () => {
      const answer = parseAnswer(text);
      if (answer !== undefined) settle(answer);
    });
    shim.once('close', () => {
      const detail = ['the shim ended before it had started the runner', complaint().trim()].filter(Boolean).join(': ');
      settle(parseAnswer(text) ?? { kind: 'failed', detail });
    });
    shim.stdin?.end(JSON.stringify(order));
  });
}

function pipesOf(shim: ChildProcess): readonly Socket[] {
  return [shim.stdin, shim.stderr, shim.stdio[3]].filter((pipe): pipe is Socket => pipe instanceof Socket);
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
