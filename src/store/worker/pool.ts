import { NightporterError } from '../../protocol/errors.js';
import type { LoopTurns } from '../../protocol/loop-turns.js';
import { FileChild, type CallEnd, type ChildOptions } from './file-child.js';
import type { WorkerLedger } from './ledger.js';

/** What is used of pino. */
export interface WorkerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface PoolOptions extends ChildOptions {
  readonly name: string;
  /** Children at most; they are started when there is work. */
  readonly size: number;
  readonly ledger: WorkerLedger;
  /** Each child is started in a turn of its own: a start holds the event loop for milliseconds. */
  readonly turns: LoopTurns;
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
  state: 'free' | 'working';
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
  /** Every process that is not gone. */
  readonly #children = new Set<FileChild>();
  /** The ones that take calls. */
  readonly #slots = new Set<Slot>();
  readonly #queue: Task[] = [];
  #starting = 0;
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
    const children = [...this.#children];
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.gone));
    await this.#options.ledger.flush();
  }

  #pump(): void {
    for (const slot of this.#slots) {
      if (slot.state !== 'free') continue;
      const task = this.#queue.shift();
      if (task === undefined) return;
      void this.#work(slot, task);
    }
    const room = this.#options.size - this.#slots.size - this.#starting;
    const wanted = Math.min(room, this.#queue.length - this.#starting);
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
    this.#starting += 1;
    await this.#options.turns.next();
    if (!this.#closed) await this.#startNow();
    this.#starting -= 1;
    this.#pump();
  }

  async #startNow(): Promise<void> {
    const child = new FileChild(this.#options);
    this.#children.add(child);
    const { pid } = child;
    void child.gone.then(() => {
      this.#children.delete(child);
      for (const slot of this.#slots) if (slot.child === child) this.#slots.delete(slot);
      if (pid !== undefined) void this.#options.ledger.remove(pid);
      this.#pump();
    });
    try {
      if (pid !== undefined) await this.#options.ledger.add(pid);
      await child.ready;
      this.#failedStarts = 0;
      this.#slots.add({ child, state: 'free' });
    } catch (error) {
      this.#startFailed(error);
    }
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
