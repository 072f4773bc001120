import type { ErrorClass } from '../../../../src/protocol/rows.js';
import { firstBytes } from '../cut-text.js';
import type { Failed } from '../provider.js';
import { sensibleInstant } from '../sensible-instant.js';
import { judgeFailure, MAX_ERROR_BYTES } from '../verdict.js';
import type { ProgramEnd } from '../verdict.js';
import { CUT_OFF } from './conversation.js';
import type { Conversation, Result } from './conversation.js';

/** How the program says, in an error, that it does not know the session which it was to resume. */
const NO_SESSION = 'No conversation found with session ID';
/** The whole text of an error, in versions that give no `terminal_reason`. */
const TOO_LONG = /^(API Error: )?Prompt is too long\b/i;
/** An older version's way to say when a limit ends: seconds since 1970. */
const LIMIT_ENDS = /usage limit reached\|(\d{10})\b/i;
const NO_REPORT = { errorClass: null, error: null, retryAtMs: null, providerSession: null };

interface Verdict {
  readonly errorClass: ErrorClass;
  /** Another provider may do the turn. */
  readonly isDown: boolean;
}

const UNAVAILABLE: Verdict = { errorClass: 'retryable', isDown: true };
const UNUSABLE: Verdict = { errorClass: 'fatal', isDown: true };
const ENDED: Verdict = { errorClass: 'terminated', isDown: true };
const REFUSED: Verdict = { errorClass: 'fatal', isDown: false };
const LIMITED: Verdict = { errorClass: 'rate_limited', isDown: false };

/** By the class that the message of a failed API call carries. */
const API_ERRORS: Readonly<Record<string, Verdict>> = {
  rate_limit: LIMITED,
  overloaded: UNAVAILABLE,
  server_error: UNAVAILABLE,
  unknown: UNAVAILABLE,
  authentication_failed: UNUSABLE,
  billing_error: UNUSABLE,
  invalid_request: REFUSED,
  model_not_found: REFUSED,
  [CUT_OFF]: REFUSED,
};

/** What a run failed as; undefined: it has an answer. Never judged by what the agent says in an answer. */
export function judgeRun(
  run: Conversation,
  end: ProgramEnd,
  stderrTail: string,
  facts: { readonly program: string; readonly resumed: boolean },
): Failed | undefined {
  const { result } = run;
  if (facts.resumed && saysNoSession(result, end, stderrTail)) {
    return failed({ errorClass: 'resume_invalid', isDown: false }, NO_SESSION, null);
  }
  if (result !== undefined) return judgeResult(run, result);
  const died = judgeFailure(end, { report: NO_REPORT, tail: stderrTail }, facts.program);
  if (died === undefined) return failed(UNAVAILABLE, 'the program ended without a result', null);
  return end.kind === 'not_started' ? { ...died, isDown: true } : died;
}

function saysNoSession(result: Result | undefined, end: ProgramEnd, stderrTail: string): boolean {
  if (result !== undefined && isFailure(result)) {
    if ([result.text, ...result.errors].some((text) => text.includes(NO_SESSION))) return true;
  }
  return end.kind === 'exited' && end.code !== 0 && stderrTail.includes(NO_SESSION);
}

function isFailure({ isError, subtype }: Result): boolean {
  return isError || subtype !== 'success';
}

function judgeResult(run: Conversation, result: Result): Failed | undefined {
  const error = [result.text, ...result.errors].find((text) => text !== '') ?? result.subtype;
  const isTooLong = isFailure(result) && [result.text, ...result.errors].some((text) => TOO_LONG.test(text));
  if (result.terminalReason === 'prompt_too_long' || result.apiStatus === 413 || isTooLong) {
    return failed({ errorClass: 'context_overflow', isDown: false }, error, null);
  }
  const verdict = verdictOf(run, result);
  if (verdict === undefined) return undefined;
  const isLimit = verdict.errorClass === 'rate_limited' || LIMIT_ENDS.test(error);
  if (!isLimit) return failed(verdict, error, null);
  const atMs = run.limitEndsAtMs ?? Number(LIMIT_ENDS.exec(error)?.[1]) * 1000;
  return failed(LIMITED, error, sensibleInstant(atMs, Date.now()));
}

function verdictOf(run: Conversation, result: Result): Verdict | undefined {
  if (run.isCutOff) return undefined;
  if (result.terminalReason === 'blocking_limit') return LIMITED;
  // The status alone could be a wrong key's.
  if (run.apiError === 'oauth_org_not_allowed') return ENDED;
  if (result.apiStatus !== null && result.apiStatus >= 400) return byStatus(result.apiStatus);
  // Some versions call a failed API call a success: the message itself says better.
  if (run.apiError !== null) return API_ERRORS[run.apiError] ?? UNAVAILABLE;
  if (!isFailure(result)) return undefined;
  if (result.subtype.startsWith('error_max_')) return REFUSED;
  if (result.terminalReason === 'api_error') return UNAVAILABLE;
  return { errorClass: 'retryable', isDown: false };
}

function byStatus(status: number): Verdict {
  if (status === 429) return LIMITED;
  if (status === 401 || status === 402 || status === 403) return UNUSABLE;
  return status >= 500 || status === 408 || status === 409 ? UNAVAILABLE : REFUSED;
}

function failed({ errorClass, isDown }: Verdict, error: string, retryAtMs: number | null): Failed {
  return { kind: 'failed', errorClass, error: firstBytes(error, MAX_ERROR_BYTES), retryAtMs, isDown };
}
