import { NightporterError } from '../../protocol/errors.js';
import { FileChild, type CallEnd, type ChildOptions } from './file-child.js';
import type { WorkerLedger } from './ledger.js';

/** What is used of pino. */
export interface WorkerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface PoolOptions extends ChildOptions {
  readonly name: string;
  /** Children at most; they are started when there is work. */
  readonly size: number;
  readonly ledger: WorkerLedger;
  readonly log: WorkerLog | undefined;
}

interface Task {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly resolve: (end: CallEnd) => void;
  readonly reject: (error: Error) => void;
}

interface Slot {
  readonly child: FileChild;
  state: 'starting' | 'free' | 'working';
}

/** So many children in a row that do not even start are a fault of the installation. */
const MAX_FAILED_STARTS = 3;

/**
 * A lane: a queue and a few child processes, each with one call at a time. A call past its deadline ends with its
 * child; a child that dies costs only its own call; the queue goes on with a new one. (workerpool 10 is not used: a
 * worker that is killed leaves its queue waiting for the next `exec`, and its time-outs end in TERM, not KILL.)
 */
export class ChildPool {
  readonly #options: PoolOptions;
  readonly #slots = new Set<Slot>();
  readonly #queue: Task[] = [];
  #failedStarts = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Rejects only when the children do not start, or the pool is closed. */
  run(method: string, params: readonly unknown[]): Promise<CallEnd> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(closed());
        return;
      }
      this.#queue.push({ method, params, resolve, reject });
      this.#pump();
    });
  }

  /** Kills the children; calls queued and under way are rejected. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const task of this.#queue.splice(0)) task.reject(closed());
    const slots = [...this.#slots];
    for (const { child } of slots) child.kill();
    await Promise.all(slots.map((slot) => slot.child.gone));
    await this.#options.ledger.flush();
  }

  #pump(): void {
    for (const slot of this.#slots) {
      if (slot.state !== 'free') continue;
      const task = this.#queue.shift();
      if (task === undefined) return;
      void this.#work(slot, task);
    }
    const starting = [...this.#slots].filter((slot) => slot.state === 'starting').length;
    const wanted = Math.min(this.#options.size - this.#slots.size, this.#queue.length - starting);
    for (let count = 0; count < wanted; count += 1) void this.#start();
  }

  async #work(slot: Slot, task: Task): Promise<void> {
    slot.state = 'working';
    const end = await slot.child.call(task.method, task.params);
    if (this.#closed) {
      task.reject(closed());
      return;
    }
    if (end.kind === 'killed' || end.kind === 'died') {
      this.#slots.delete(slot);
      this.#options.log?.warn(
        { lane: this.#options.name, method: task.method, reason: end.detail },
        'file worker lost',
      );
    } else {
      slot.state = 'free';
    }
    task.resolve(end);
    this.#pump();
  }

  async #start(): Promise<void> {
    const slot: Slot = { child: new FileChild(this.#options), state: 'starting' };
    this.#slots.add(slot);
    const { pid } = slot.child;
    void slot.child.gone.then(() => {
      this.#slots.delete(slot);
      if (pid !== undefined) void this.#options.ledger.remove(pid);
      this.#pump();
    });
    try {
      if (pid !== undefined) await this.#options.ledger.add(pid);
      await slot.child.ready;
      this.#failedStarts = 0;
      slot.state = 'free';
    } catch (error) {
      this.#slots.delete(slot);
      this.#startFailed(error);
    }
    this.#pump();
  }

  #startFailed(cause: unknown): void {
    if (this.#closed) return;
    this.#failedStarts += 1;
    this.#options.log?.warn({ err: cause, lane: this.#options.name }, 'file worker did not start');
    if (this.#failedStarts < MAX_FAILED_STARTS) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    for (const task of this.#queue.splice(0)) {
      task.reject(new NightporterError('failed', `the file workers do not start: ${reason}`, { cause }));
    }
  }
}

function closed(): NightporterError {
  return new NightporterError('failed', 'the session files were closed before this call was finished');
}
