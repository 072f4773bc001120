// eslint-disable-next-line boundaries/dependencies -- the pool's fork: beside the runtimes the one place that starts a process
import { fork, type ChildProcess } from 'node:child_process';
import type { Answer, Call, Fault } from './messages.js';
import { findResidentBytes } from './process-identity.js';

/** How a call to a child ended. */
export type CallEnd =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'fault'; readonly fault: Fault }
  /** Ended for it: past its deadline, or out of memory. */
  | { readonly kind: 'killed'; readonly detail: 'deadline' | 'memory' }
  /** It died by itself. */
  | { readonly kind: 'died'; readonly detail: string };

export interface ChildOptions {
  /** Compiled entry, absolute. */
  readonly entry: string;
  readonly argument: string;
  readonly deadlineMs: number;
}

interface Pending {
  readonly id: number;
  readonly end: (end: CallEnd) => void;
}

const OLD_SPACE_MB = 256;
/** Above this a child is reading something that no session file should hold. */
const RESIDENT_MAX_BYTES = 512 * 1_048_576;
const MEMORY_CHECK_MS = 100;
const START_DEADLINE_MS = 15_000;
const STDERR_KEPT_CHARS = 2_000;

/** One child process and the one call it may be working on. */
export class FileChild {
  /** Resolves when it is ready to be called; rejects with the reason when it never will be. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #deadlineMs: number;
  #pending: Pending | undefined;
  #stderr = '';
  #calls = 0;

  constructor({ entry, argument, deadlineMs }: ChildOptions) {
    this.#deadlineMs = deadlineMs;
    this.#process = fork(entry, [argument], {
      // Its own group: a Ctrl-C at the terminal is the host's to handle.
      detached: true,
      env: {},
      execArgv: [`--max-old-space-size=${String(OLD_SPACE_MB)}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.on('data', (data: Buffer) => {
      this.#stderr = (this.#stderr + data.toString('utf8')).slice(-STDERR_KEPT_CHARS);
    });
    this.gone = new Promise((resolve) => {
      this.#process.once('exit', () => {
        resolve();
      });
      this.#process.once('error', () => {
        if (this.#process.pid === undefined) resolve();
      });
    });
    this.ready = this.#whenReady();
    this.ready.catch(() => undefined); // told to whoever waits for it
    this.#process.on('message', (answer: Answer) => {
      this.#receive(answer);
    });
    this.#process.on('exit', (code, signal) => {
      this.#finish({ kind: 'died', detail: `file worker ended by ${signal ?? `exit code ${String(code)}`}` });
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Sends one call; the child must be ready and free. Always resolves, at most a moment after the deadline. */
  call(method: string, params: readonly unknown[]): Promise<CallEnd> {
    this.#calls += 1;
    const call: Call = { id: this.#calls, method, params };
    return new Promise((resolve) => {
      const deadline = setTimeout(() => {
        // An answer that lies in the pipe because this process was held up itself is read before that.
        setImmediate(() => {
          if (this.#pending?.id === call.id) this.#endCall('deadline');
        });
      }, this.#deadlineMs);
      const memory = setInterval(() => void this.#checkMemory(call.id), MEMORY_CHECK_MS);
      this.#pending = {
        id: call.id,
        end: (end) => {
          clearTimeout(deadline);
          clearInterval(memory);
          resolve(end);
        },
      };
      this.#process.send(call, (error) => {
        if (error !== null && this.#pending?.id === call.id) {
          this.kill();
          this.#finish({ kind: 'died', detail: 'file worker is gone' });
        }
      });
    });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        clearTimeout(timer);
        reject(new Error(`${reason}${this.#stderr === '' ? '' : `: ${this.#stderr.trim()}`}`));
      };
      const timer = setTimeout(() => {
        this.kill();
        fail('it was not ready in time');
      }, START_DEADLINE_MS);
      this.#process.once('error', (error) => {
        fail(error.message);
      });
      // After `close` what it wrote has been read.
      this.#process.once('close', (code, signal) => {
        fail(`it ended by ${signal ?? `exit code ${String(code)}`}`);
      });
      this.#process.once('message', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #receive(answer: Answer): void {
    if (answer.kind === 'ready' || answer.id !== this.#pending?.id) return;
    this.#finish(answer.kind === 'result' ? { kind: 'result', value: answer.value } : answer);
  }

  #endCall(detail: 'deadline' | 'memory'): void {
    this.kill();
    this.#finish({ kind: 'killed', detail });
  }

  #finish(end: CallEnd): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.end(end);
  }

  async #checkMemory(id: number): Promise<void> {
    if (this.pid === undefined) return;
    const bytes = await findResidentBytes(this.pid);
    if (bytes !== undefined && bytes > RESIDENT_MAX_BYTES && this.#pending?.id === id) this.#endCall('memory');
  }
}
