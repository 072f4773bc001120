import type { ErrorClass } from '../../../../src/protocol/rows.js';
import { firstBytes } from '../cut-text.js';
import type { Failed } from '../provider.js';
import { sensibleInstant } from '../sensible-instant.js';
import { MAX_ERROR_BYTES } from '../verdict.js';
import type { CallFailure } from './call-failure.js';
import { findReplyError, parseJson, readReplyError } from './reply-error.js';
import type { ReplyError } from './reply-error.js';
import { retryAtMs } from './retry-after.js';

/** Words for a context that is too long; where a provider has none, what its error object says in their place. */
const TOO_LONG_WORDS = ['context_length_exceeded', 'request_too_large', 'exceed_context_size_error'];
const TOO_LONG_MESSAGES = [
  /^prompt is too long/i,
  /^input length and `max_tokens` exceed context limit/i,
  /input token count .*exceeds the maximum number of tokens/i,
  /maximum context length/i,
  /exceeds? (the )?(model's )?(available )?context (length|window|size)/i,
];
/** Words for a key that is none, whatever the status. */
const NO_KEY_WORDS = ['API_KEY_INVALID', 'invalid_api_key'];
/** Words for an account that is closed. */
const ENDED_WORDS = ['account_deactivated'];
/** A limit that no waiting lifts: another provider is worth asking. */
const USED_UP_WORDS = ['insufficient_quota'];
/** Of a request: what makes it large is what was said before. */
const TOO_LARGE = 413;
/** Below 500, what may be otherwise at the next try: a request that timed out, and one that met another. */
const PASSING = [408, 409];

export function judgeFailure(failure: CallFailure, nowMs: number): Failed {
  switch (failure.kind) {
    case 'unreachable':
      return failed('retryable', true, `the connection failed (${failure.code})`);
    case 'silent':
      return failed('retryable', true, `no byte came for ${String(failure.deadlineMs)} ms`);
    case 'too_large':
      return failed('fatal', false, `the answer is larger than ${String(failure.maxBytes)} bytes`);
    case 'no_api':
      return judgePage(failure, nowMs);
    case 'refused': {
      const { status, body } = failure;
      if (status >= 300 || findReplyError(parseJson(body)) !== undefined) {
        return judgeReply(readReplyError(body), failure, nowMs);
      }
      return failed(
        'retryable',
        true,
        `status ${String(status)} with neither a stream nor an error: is BASE_URL right?`,
      );
    }
  }
}

/** Gateways and proxies say with a page what an API says with an error. */
function judgePage({ status, headers }: Extract<CallFailure, { kind: 'no_api' }>, nowMs: number): Failed {
  const what = `status ${String(status)} with a page in place of an API's reply`;
  if (status === TOO_LARGE) return failed('context_overflow', false, what);
  if (status === 429) return { ...failed('rate_limited', false, what), retryAtMs: retryAtMs(headers, nowMs) };
  const isRefused = status >= 300 && status < 500 && !PASSING.includes(status);
  return failed(isRefused ? 'fatal' : 'retryable', true, `${what}: is BASE_URL right?`);
}

/** An error that a provider told of, with the reply's status and headers where it came as one. */
export function judgeReply(
  error: ReplyError,
  reply: { readonly status: number; readonly headers: Headers } | undefined,
  nowMs: number,
): Failed {
  const status = reply !== undefined && reply.status >= 300 ? reply.status : error.status;
  const text = [status === null ? '' : `status ${String(status)}`, error.words[0] ?? '', error.message];
  const message = text.filter((part) => part !== '').join(', ') || 'an error without a word';
  if (isTooLong(error, status)) return failed('context_overflow', false, message);
  if (error.words.some((word) => ENDED_WORDS.includes(word))) return failed('terminated', true, message);
  if (error.words.some((word) => NO_KEY_WORDS.includes(word))) return failed('fatal', true, message);
  if (status === 429) {
    const isUsedUp = error.words.some((word) => USED_UP_WORDS.includes(word));
    const told = reply === undefined ? null : retryAtMs(reply.headers, nowMs);
    const delayed = error.retryAfterMs === null ? null : sensibleInstant(nowMs + error.retryAfterMs, nowMs);
    return { ...failed('rate_limited', isUsedUp, message), retryAtMs: told ?? delayed };
  }
  if (status === null || status >= 500 || PASSING.includes(status)) return failed('retryable', true, message);
  if (status < 400) return failed('fatal', true, `${message}: redirected; BASE_URL must name the place itself`);
  return failed('fatal', [401, 402, 403].includes(status), message);
}

function isTooLong({ words, message }: ReplyError, status: number | null): boolean {
  if (status === TOO_LARGE || words.some((word) => TOO_LONG_WORDS.includes(word))) return true;
  // An error of the request, and no other, is looked at for words that are meant for people.
  return (status === 400 || status === null) && TOO_LONG_MESSAGES.some((one) => one.test(message));
}

export function failed(errorClass: ErrorClass, isDown: boolean, error: string): Failed {
  return { kind: 'failed', errorClass, error: firstBytes(error, MAX_ERROR_BYTES), retryAtMs: null, isDown };
}
