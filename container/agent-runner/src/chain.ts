import { firstBytes } from './cut-text.js';
import type { Failed } from './provider.js';
import { MAX_ERROR_BYTES } from './verdict.js';

/** One provider's end of a turn that could not be done by it. */
export interface ChainFailure {
  readonly provider: string;
  readonly failed: Failed;
}

const MAY_PASS: readonly string[] = ['retryable', 'rate_limited'];
const OVERFLOWN: readonly string[] = ['context_overflow'];
const FOR_GOOD: readonly string[] = ['terminated'];

/**
 * What a turn fails as when none of a chain could do it: an overflow, because what it produced is kept
 * and would be an answer of every further try; else what may pass by itself wins over what stays, because the message is worth
 * another try then; among those the first. Then what one of them has ended for good.
 */
export function chainFailure(failures: readonly [ChainFailure, ...ChainFailure[]]): Failed {
  const last = failures.at(-1) ?? failures[0];
  const findOf = (classes: readonly string[]): ChainFailure | undefined =>
    failures.find(({ failed }) => classes.includes(failed.errorClass));
  const decisive = findOf(OVERFLOWN) ?? findOf(MAY_PASS) ?? findOf(FOR_GOOD) ?? last;
  if (failures.length === 1) return decisive.failed;
  const share = Math.floor(MAX_ERROR_BYTES / failures.length) - 2;
  const error = failures.map(({ provider, failed }) => firstBytes(`${provider}: ${failed.error}`, share)).join('; ');
  const { errorClass, retryAtMs, answers } = decisive.failed;
  return { kind: 'failed', errorClass, error, retryAtMs, ...(answers && { answers }) };
}
