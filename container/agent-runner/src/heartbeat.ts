import { closeSync, constants, fstatSync, futimesSync, openSync } from 'node:fs';
import type { Log } from './log.js';

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Touches a file from its own timer: the proof that this process's event loop turns, whatever the provider does. */
export class Heartbeat {
  readonly #file: string;
  readonly #intervalMs: number;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #lastProblem: string | undefined;

  constructor(file: string, intervalMs: number, log: Log) {
    this.#file = file;
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.tick();
    }, this.#intervalMs);
    this.tick();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  tick(): void {
    const problem = touch(this.#file);
    if (problem !== undefined && problem !== this.#lastProblem) {
      this.#log.error('heartbeat cannot be written', { reason: problem });
    }
    this.#lastProblem = problem;
  }
}

/** Sets the mtime to now, through no link; what went wrong, if something did. */
function touch(file: string): string | undefined {
  try {
    const fd = openSync(file, FLAGS, 0o644);
    try {
      if (!fstatSync(fd).isFile()) return 'not a regular file';
      const nowS = Date.now() / 1000;
      futimesSync(fd, nowS, nowS);
      return undefined;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown';
  }
}
