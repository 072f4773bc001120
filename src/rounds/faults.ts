import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import { DiskFull } from '../protocol/errors.js';
import type { SessionAddress } from '../protocol/address.js';

type Work = 'look' | 'start';

/** 1, 2, 4, 8 s after the first failures in a row, then `mostMs`. */
export function patienceMs(failures: number, mostMs: number): number {
  if (failures > 4) return mostMs;
  return Math.min(1_000 * 2 ** Math.max(0, failures - 1), mostMs);
}

export interface FaultsOptions {
  readonly notices: Notices;
  readonly log: Logger;
  /** BUSY_RETRY_MAX_MS. */
  readonly mostMs: () => number;
  readonly alarm: (session: SessionAddress, delayMs: number) => void;
  readonly hint: (session: SessionAddress) => void;
}

/**
 * Looks and starts that failed through no decision of the plan: tried again with growing patience, so that none brings
 * itself about without end. A full disk is told once, and over when all that it broke works again.
 */
export class Faults {
  readonly #options: FaultsOptions;
  readonly #failures = new Map<string, number>();
  readonly #full = new Set<string>();
  /** From the start: an earlier daemon may have told. */
  #isTold = true;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** A fault of the machine. */
  failed(work: Work, session: SessionAddress, err: unknown): void {
    const { notices, log, alarm, mostMs } = this.#options;
    const key = `${work} ${session}`;
    const failures = this.#count(key);
    log.error({ err, session, work, failures }, 'failed, tried again later');
    if (isDiskFull(err)) {
      const isNews = this.#full.size === 0 || !this.#isTold;
      this.#full.add(key);
      if (isNews) {
        this.#isTold = true;
        notices.raise(
          'disk_full',
          null,
          `no space left (${err.message}): nothing is lost, what could not be done is tried again; free some space`,
        );
      }
    }
    alarm(session, patienceMs(failures, mostMs()));
  }

  /** It could not be done just now: once more at once, then with patience. */
  postponed(work: Work, session: SessionAddress): void {
    const failures = this.#count(`${work} ${session}`);
    if (failures === 1) this.#options.hint(session);
    else this.#options.alarm(session, patienceMs(failures - 1, this.#options.mostMs()));
  }

  /** It worked, or nobody wants it any more. */
  worked(work: Work, session: SessionAddress): void {
    const key = `${work} ${session}`;
    this.#failures.delete(key);
    this.#full.delete(key);
    if (!this.#isTold || this.#full.size > 0) return;
    this.#isTold = false;
    this.#options.notices.settle('disk_full', null);
  }

  #count(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    return failures;
  }
}

function isDiskFull(err: unknown): err is Error {
  if (err instanceof DiskFull) return true;
  return err instanceof Error && 'code' in err && (err.code === 'ENOSPC' || err.code === 'EDQUOT');
}
