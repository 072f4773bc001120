import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Log } from './log.js';

/** Reads process group numbers (0: none) until its input ends, which it does whatever becomes of the writer. */
const SCRIPT = 'g=0; while read -r line; do g=$line; done; [ "$g" = 0 ] || kill -KILL "-$g"';

/**
 * Ends the provider's program when the runner is gone, kill -9 included: a small shell that outlives the runner for a
 * moment. In a container with its own process namespace the kernel does the same.
 */
export class Leash {
  readonly #log: Log;
  #shell: ChildProcess | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Started before the first program, so that none is ever without. */
  start(): void {
    if (this.#shell !== undefined) return;
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: {},
    });
    shell.on('error', (error) => {
      this.#log.error('no shell to watch over programs', { err: error.message });
    });
    shell.stdin.on('error', () => {
      // It is gone: the runner still ends its programs itself.
    });
    shell.unref();
    this.#shell = shell;
  }

  hold(groupId: number): void {
    this.#shell?.stdin?.write(`${String(groupId)}\n`);
  }

  release(): void {
    this.#shell?.stdin?.write('0\n');
  }
}
