import type { LanguageModel } from 'ai';
import { cutAnswer } from '../cut-answer.js';
import { textOf } from '../message-text.js';
import type { HttpProviderName } from '../provider-choice.js';
import type { Completed, Failed, Message, Outcome, Provider, Turn, TurnReport } from '../provider.js';
import type { ask as Ask, Reply } from './ask.js';
import { findCallFailure } from './call-failure.js';
import { failed, judgeFailure, judgeReply } from './judge-call.js';
import type { ModelOrder } from './models.js';
import { findReplyError, parseJson } from './reply-error.js';
import { WatchedFetch } from './watched-fetch.js';

/** An answer may be this large, as it stands in the file. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** A stream says much around each word. */
const MAX_STREAM_BYTES = 256 * 1024 * 1024;
/** Of the stop's grace, what is kept for the last write and the runner's own end. */
const RESERVED_MS = 2_000;

/** Where each key is looked for, first found first taken. */
export const KEYS: Readonly<Record<HttpProviderName, readonly string[]>> = {
  anthropic: ['ANTHROPIC_API_KEY'],
  openai: ['OPENAI_API_KEY'],
  openrouter: ['OPENROUTER_API_KEY'],
  gemini: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
  'openai-compatible': ['OPENAI_COMPATIBLE_API_KEY'],
};

export interface HttpOptions {
  readonly name: HttpProviderName;
  readonly model: string | null;
  /** null: the provider's own. */
  readonly baseUrl: string | null;
  readonly callDeadlineMs: number;
  readonly stopGraceMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A provider that is asked over HTTP, through the Vercel AI SDK: one request per triggering message, with the conversation
 * so far, answered as a stream. It has no sessions of its own, tries nothing again and waits for no limit: that is the host's.
 */
export function createHttpProvider(options: HttpOptions): Provider {
  return {
    name: options.name,
    claimsPerTurn: 1,
    resumes: 'synthetic',
    run: async (turn, report, stop) => {
      const ready = findCall(options, turn);
      if (ready.kind === 'failed') return ready;
      return withoutSecret(await call({ ...ready, options, turn, report, stop }), ready.key);
    },
  };
}

interface Ready {
  readonly kind: 'ready';
  readonly key: string;
  readonly model: string;
  readonly to: Message;
}

/** What would cost a call and lead to nothing fails before it. */
function findCall({ name, model, baseUrl, env }: HttpOptions, turn: Turn): Ready | Failed {
  const key = KEYS[name].map((variable) => env[variable] ?? '').find((value) => value.trim() !== '') ?? '';
  const to = turn.messages.findLast(({ trigger }) => trigger);
  if (to === undefined || turn.conversation === null) return failed('fatal', false, 'called without a conversation');
  if (model === null) return failed('fatal', true, 'no model is set: set MODEL');
  if (name === 'openai-compatible') {
    if (baseUrl === null) return failed('fatal', true, 'no place is set: set BASE_URL');
  } else if (key === '')
    return failed('fatal', true, `no key: let ${KEYS[name].join(' or ')} through with ENVIRONMENT`);
  return { kind: 'ready', key: key.trim(), model, to };
}

interface Call extends Omit<Ready, 'kind'> {
  readonly options: HttpOptions;
  readonly turn: Turn;
  readonly report: TurnReport;
  readonly stop: AbortSignal;
}

async function call({ options, key, model, to, turn, report, stop }: Call): Promise<Outcome> {
  const watched = new WatchedFetch({
    deadlineMs: options.callDeadlineMs,
    maxBytes: MAX_STREAM_BYTES,
    onBytes: () => {
      report.progress();
    },
  });
  const patience = new Patience(stop, Math.max(0, options.stopGraceMs - RESERVED_MS));
  try {
    const { name, baseUrl } = options;
    const sdk = await load({ name, model, baseUrl, key, fetch: watched.fetch });
    if (sdk === undefined)
      return failed('fatal', true, 'its package is not installed: run "npm ci", or build the image anew');
    const reply = await sdk.ask({
      model: sdk.model,
      messages: conversationOf(turn),
      signal: patience.signal,
      maxTextBytes: MAX_ANSWER_BYTES,
    });
    const outcome = judge(reply, watched, to);
    const { usage } = reply;
    return stop.aborted && outcome.kind === 'failed' ? { kind: 'unfinished', usage } : { ...outcome, usage };
  } finally {
    patience.end();
    watched.end();
  }
}

/** With the first call: every wake waits for the runner's start. */
async function load(order: ModelOrder): Promise<{ ask: typeof Ask; model: LanguageModel } | undefined> {
  try {
    const [{ ask }, { openModel }] = await Promise.all([import('./ask.js'), import('./models.js')]);
    return { ask, model: await openModel(order) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** A call that is paid for gets the stop's grace to come to its end. */
class Patience {
  readonly #own = new AbortController();
  readonly #stop: AbortSignal;
  readonly #graceMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(stop: AbortSignal, graceMs: number) {
    this.#stop = stop;
    this.#graceMs = graceMs;
    if (stop.aborted) this.#begin();
    else stop.addEventListener('abort', this.#begin, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  end(): void {
    this.#stop.removeEventListener('abort', this.#begin);
    clearTimeout(this.#timer);
  }

  readonly #begin = (): void => {
    this.#timer = setTimeout(() => {
      this.#own.abort();
    }, this.#graceMs);
  };
}

/** What was said, and what is said now; some providers want the two sides to take turns. */
function conversationOf(turn: Turn): { role: 'user' | 'assistant'; content: string }[] {
  const now = turn.messages.map(({ content }) => ({ role: 'user' as const, text: textOf(content) }));
  const merged: { role: 'user' | 'assistant'; content: string }[] = [];
  for (const { role, text } of [...turn.history, ...now]) {
    const last = merged.at(-1);
    if (last?.role === role) last.content = `${last.content}\n\n${text}`;
    else merged.push({ role, content: text });
  }
  return merged;
}

/** How providers call an answer that ended because the context was full, because it was long, and one that they keep back. */
const FULL = ['model_context_window_exceeded'];
const LONG = /^(length|max_tokens)$/i;
const KEPT_BACK = /content.?filter|safety|refusal|prohibited|recitation|blocklist|spii/i;

function judge(reply: Reply, watched: WatchedFetch, to: Message): Completed | Failed {
  const { finish } = reply;
  const text = textIn(reply);
  const answers = text === '' ? [] : [{ to, text }];
  const failure = watched.failure ?? findCallFailure(reply.thrown);
  const wrong = reply.isTooLarge || Buffer.byteLength(JSON.stringify({ text })) > MAX_ANSWER_BYTES;
  if (wrong) return judgeFailure({ kind: 'too_large', maxBytes: MAX_ANSWER_BYTES }, Date.now());
  const bad = failure === undefined ? undefined : judgeFailure(failure, Date.now());
  const told = bad ?? (reply.told === undefined ? undefined : judgeReply(reply.told, undefined, Date.now()));
  const found = told ?? (reply.thrown === undefined ? undefined : judgeThrown(reply.thrown));
  if (found !== undefined) return found.errorClass === 'context_overflow' ? { ...found, answers } : found;
  if (finish === undefined) return failed('retryable', true, 'the stream ended before the answer did');
  if (FULL.includes(finish)) return { ...failed('context_overflow', false, finish), answers };
  if (answers.length > 0) return { kind: 'completed', answers, providerSession: null };
  if (KEPT_BACK.test(finish)) return failed('fatal', false, `the provider kept its answer back (${finish})`);
  // The next try would be as long, and nothing costs more.
  if (LONG.test(finish))
    return failed('fatal', false, `no word of an answer within the limit of its output (${finish})`);
  return failed('retryable', false, `an empty answer (${finish})`);
}

/** '': it says nothing. */
function textIn({ text, finish }: Reply): string {
  if (text.trim() === '') return '';
  const isCut = finish !== undefined && (LONG.test(finish) || KEPT_BACK.test(finish));
  return isCut ? cutAnswer(text, finish) : text;
}

/** Of the SDK's own errors only a name: they hold the request. */
function judgeThrown(thrown: unknown): Failed {
  const body = thrown instanceof Error && 'responseBody' in thrown ? thrown.responseBody : undefined;
  const told = thrown instanceof Error ? findReplyError(parseJson(String(body))) : findReplyError(thrown);
  if (told !== undefined) return judgeReply(told, undefined, Date.now());
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return failed('retryable', true, `the reply cannot be read (${name})`);
}

/** Some say the key in what they complain of. */
function withoutSecret(outcome: Outcome, key: string): Outcome {
  if (outcome.kind !== 'failed' || key === '') return outcome;
  return { ...outcome, error: outcome.error.replaceAll(key, '***') };
}
