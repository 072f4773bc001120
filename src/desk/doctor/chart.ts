import type { Clock } from '../../ports/clock.js';
import { describeError } from '../describe-error.js';
import type { CheckView, DoctorView } from '../views.js';
import type { Finding } from './finding.js';
import { problem } from './finding.js';

/** Longer than every deadline inside of a check: only what hangs for ever meets it. */
const CHECK_MAX_MS = 120_000;

/** Collects what the checks found; a check that fails or hangs is a problem of its own, never the end of the doctor. */
export class Chart {
  readonly #clock: Clock;
  readonly #checks: CheckView[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async check(name: string, work: () => Finding | Promise<Finding>): Promise<Finding> {
    const finding = await this.#bounded(work);
    this.add(name, finding);
    return finding;
  }

  add(name: string, finding: Finding): void {
    const { state, detail } = finding;
    this.#checks.push({ name, state, detail, remedy: finding.state === 'ok' ? null : finding.remedy });
  }

  view(): DoctorView {
    const countOf = (state: Finding['state']): number => this.#checks.filter((check) => check.state === state).length;
    return { checks: this.#checks, problems: countOf('problem'), warnings: countOf('warning') };
  }

  async #bounded(work: () => Finding | Promise<Finding>): Promise<Finding> {
    let cancel = (): void => undefined;
    const late = new Promise<Finding>((resolve) => {
      cancel = this.#clock.after(CHECK_MAX_MS, () => {
        resolve(problem(`no end of this check within ${CHECK_MAX_MS / 1000} s`, 'look at the load of this machine'));
      });
    });
    try {
      return await Promise.race([Promise.resolve().then(work), late]);
    } catch (error) {
      return problem(describeError(error).message, 'do what the message says, then run the doctor again');
    } finally {
      cancel();
    }
  }
}
