import type { Clock } from '../ports/clock.js';
import type { GcAction, GcFailure, GcReport } from '../ports/upkeep.js';
import type { Logger } from '../observe/logs.js';
import { Foreseen } from './foreseen.js';

/** One kind of upkeep. All have this shape. */
export interface Job {
  readonly name: string;
  /** Does it once in a while from now on. */
  start(): void;
  /** Lets what is under way finish, begins nothing more. Idempotent. */
  stop(): Promise<void>;
  /** `everyMs` may be another one now: the pause that runs is measured anew. */
  settingsChanged(): void;
  /** Does it now, after what is under way. Does not fail: the report says so. */
  tick(pass: PassOptions): Promise<GcReport>;
  counts(): JobCounts;
}

export interface PassOptions {
  readonly dryRun: boolean;
  /** By itself; an operator who asks for it knows what time it is. */
  readonly unattended?: boolean;
  /** What earlier jobs of the same dry run would have done. */
  readonly foreseen?: Foreseen;
}

export interface JobCounts {
  readonly passes: number;
  readonly failures: number;
  readonly actions: number;
}

export interface JobOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** After the start, milliseconds. */
  readonly firstAfterMs: number;
  /** From the end of one pass to the next; asked anew each time. */
  readonly everyMs: () => number;
  readonly work: (pass: Pass) => Promise<void>;
}

/** One pass of a job: what it did, or in a dry run would do. */
export interface Pass {
  readonly dryRun: boolean;
  readonly unattended: boolean;
  /** Empty but in a dry run: what was done can be seen. */
  readonly foreseen: Foreseen;
  did(action: GcAction): void;
  /** A session that is old enough, and why it stays all the same. */
  kept(reason: string): void;
  /** The daemon ends: what is not begun is left for the next pass. */
  isStopping(): boolean;
}

export function createJob({ name, clock, log, firstAfterMs, everyMs, work }: JobOptions): Job {
  const counts = { passes: 0, failures: 0, actions: 0 };
  let isStopped = false;
  let cancel = (): void => undefined;
  /** Monotonic end of the pass that the running pause follows; null: there is no such pause. */
  let pausedSinceMs: number | null = null;
  let last: Promise<unknown> = Promise.resolve();

  const run = async ({ dryRun, unattended = false, foreseen = new Foreseen() }: PassOptions): Promise<GcReport> => {
    const actions: GcAction[] = [];
    const kept: Record<string, number> = {};
    const failures: GcFailure[] = [];
    const pass: Pass = {
      dryRun,
      unattended,
      foreseen,
      did: (action) => {
        actions.push(action);
        if (dryRun) foreseen.note(action);
      },
      kept: (reason) => {
        kept[reason] = (kept[reason] ?? 0) + 1;
      },
      isStopping: () => isStopped,
    };
    counts.passes += 1;
    try {
      await work(pass);
    } catch (err) {
      counts.failures += 1;
      failures.push({ job: name, why: err instanceof Error ? err.message : String(err) });
      log.error({ err, job: name }, 'upkeep failed; it is tried again');
    }
    if (!dryRun) counts.actions += actions.length;
    if (!dryRun && actions.length > 0) log.info({ job: name, actions: actions.length, kept }, 'upkeep done');
    return { actions, kept, failures };
  };

  const tick = (pass: PassOptions): Promise<GcReport> => {
    const next = last.then(() => run(pass));
    last = next;
    return next;
  };

  const arm = (delayMs: number): void => {
    if (isStopped) return;
    cancel = clock.after(delayMs, () => {
      pausedSinceMs = null;
      void tick({ dryRun: false, unattended: true }).then(() => {
        pausedSinceMs = clock.monotonic();
        arm(everyMs());
      });
    });
  };

  return {
    name,
    start: () => {
      arm(firstAfterMs);
    },
    settingsChanged: () => {
      if (pausedSinceMs === null) return;
      cancel();
      arm(Math.max(0, pausedSinceMs + everyMs() - clock.monotonic()));
    },
    stop: async () => {
      isStopped = true;
      cancel();
      await last;
    },
    tick,
    counts: () => ({ ...counts }),
  };
}
