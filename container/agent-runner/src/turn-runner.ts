import { withCallSignal } from './call-signal.js';
import { chainFailure } from './chain.js';
import type { ChainFailure } from './chain.js';
import { readHistory } from './history.js';
import type { Log } from './log.js';
import type { Outbound, TurnEnd } from './outbound.js';
import { pause, persist } from './persist.js';
import { usableId } from './provider-session.js';
import type { Answer, Failed, Message, Outcome, Provider, Said, TurnReport, Unfinished } from './provider.js';
import type { SessionChange } from './session-state.js';
import type { Settings } from './settings.js';
import { withCall } from './usage.js';
import type { TurnUsage } from './usage.js';

/** How a turn went: what to write, or nothing but what it cost. */
export type Turned = TurnEnd | { readonly outcome: Unfinished; readonly usage: TurnUsage | null };

export interface TurnRunnerParts {
  readonly settings: Pick<
    Settings,
    'inbound' | 'maxSessionAgeMs' | 'stopGraceMs' | 'historyMaxMessages' | 'historyMaxBytes'
  >;
  readonly outbound: Outbound;
  /** The session's own first, then those that stand in for one that is down. */
  readonly providers: readonly [Provider, ...Provider[]];
  readonly log: Log;
  readonly stop: AbortSignal;
}

/** What a provider is given of the turns before. */
interface Past {
  readonly resume: string | null;
  readonly conversation: string | null;
  readonly history: readonly Said[];
  readonly afterSeq: number | null;
}

const NO_PAST: Past = { resume: null, conversation: null, history: [], afterSeq: null };
/** The host holds its file for milliseconds; whoever holds it for longer is stopped by the host. */
const HISTORY_WAIT_MS = 30_000;
const HISTORY_POLL_MS = 50;

/** Has a turn done by the first provider that can be had, each with an id and a past of its own. */
export class TurnRunner {
  readonly #parts: TurnRunnerParts;
  #usage: TurnUsage | null = null;

  constructor(parts: TurnRunnerParts) {
    this.#parts = parts;
  }

  async run(messages: readonly Message[], report: TurnReport): Promise<Turned> {
    this.#usage = null;
    const failures: ChainFailure[] = [];
    for (const provider of this.#parts.providers) {
      const { outcome, session } = await this.#runWith(provider, messages, report);
      if (outcome.kind === 'unfinished') return { outcome, usage: this.#usage };
      if (outcome.kind === 'completed') return { outcome, session, usage: this.#usage };
      failures.push({ provider: provider.name, failed: outcome });
      if (outcome.isDown !== true || failures.length === this.#parts.providers.length) {
        const [first, ...rest] = failures;
        const failed = first === undefined ? outcome : chainFailure([first, ...rest]);
        return { outcome: failed, session, usage: this.#usage };
      }
      if (this.#parts.stop.aborted) return { outcome: { kind: 'unfinished' }, usage: this.#usage };
      this.#parts.log.error('provider is down, the next one of the chain is asked', {
        provider: provider.name,
        errorClass: outcome.errorClass,
        err: outcome.error,
      });
    }
    throw new Error('no provider');
  }

  /** One call, and a second one without the past where that was what was wrong. */
  async #runWith(
    provider: Provider,
    messages: readonly Message[],
    report: TurnReport,
  ): Promise<{ readonly outcome: Outcome; readonly session: SessionChange | null }> {
    const past = await this.#past(provider, messages);
    if (past === 'stopped') return { outcome: { kind: 'unfinished' }, session: null };
    if (past === 'unreadable') return { outcome: HISTORY_UNREADABLE, session: null };
    const outcome = await this.#call(provider, messages, past, report);
    if (!isPastToBlame(outcome, past)) return { outcome, session: changeOf(provider, past, outcome) };
    await this.#drop(provider, past, outcome);
    if (this.#parts.stop.aborted) return { outcome: { kind: 'unfinished' }, session: null };
    const fresh = withoutPast(past);
    const second = await this.#call(provider, messages, fresh, report);
    const kept = outcome.errorClass === 'context_overflow' ? (outcome.answers ?? []) : [];
    return { outcome: withAnswers(kept, second), session: changeOf(provider, fresh, second) };
  }

  async #call(provider: Provider, messages: readonly Message[], past: Past, report: TurnReport): Promise<Outcome> {
    const { resume, conversation, history } = past;
    const turn = { messages, resume, conversation, history };
    const outcome = await withCallSignal(this.#parts.stop, (signal) => provider.run(turn, report, signal));
    this.#usage = withCall(this.#usage, outcome.usage);
    return outcome;
  }

  async #past(provider: Provider, messages: readonly Message[]): Promise<Past | 'stopped' | 'unreadable'> {
    if (provider.resumes === 'none') return NO_PAST;
    const stored = await this.#persisted(() => this.#parts.outbound.findSession(provider.name));
    if (provider.resumes === 'own_ids') {
      return { ...NO_PAST, resume: usableId(stored, Date.now(), this.#parts.settings.maxSessionAgeMs) };
    }
    if (stored?.synthetic === true) return this.#told(messages, stored.id, stored.afterSeq);
    const id = `np-${globalThis.crypto.randomUUID()}`;
    await this.#persisted(() => {
      const nowMs = Date.now();
      const session = { id, lastUsedMs: nowMs, synthetic: true, afterSeq: null };
      this.#parts.outbound.storeSession(provider.name, session, nowMs);
    });
    return this.#told(messages, id, null);
  }

  /** The conversation for a provider that has to be told of it. */
  async #told(
    messages: readonly Message[],
    conversation: string,
    afterSeq: number | null,
  ): Promise<Past | 'stopped' | 'unreadable'> {
    const { settings, outbound, stop } = this.#parts;
    const sinceMs = performance.now();
    while (!stop.aborted) {
      const look = readHistory(settings.inbound, outbound, {
        maxMessages: settings.historyMaxMessages,
        maxBytes: settings.historyMaxBytes,
        maxSilenceMs: settings.maxSessionAgeMs,
        afterSeq,
        without: new Set(messages.map(({ id }) => id)),
        nowMs: Date.now(),
      });
      if (look.kind === 'read') return { resume: null, conversation, history: look.said, afterSeq };
      if (performance.now() - sinceMs > HISTORY_WAIT_MS) return 'unreadable';
      await pause(HISTORY_POLL_MS, stop);
    }
    return 'stopped';
  }

  /** At once, before the next call: whatever becomes of it, the past that failed is not used again. */
  async #drop(provider: Provider, past: Past, { errorClass }: Failed): Promise<void> {
    this.#parts.log.info('the provider is asked once more, without what was before', {
      provider: provider.name,
      errorClass,
    });
    const { resume, conversation } = past;
    await this.#persisted(() => {
      const { outbound } = this.#parts;
      const nowMs = Date.now();
      if (resume !== null) {
        outbound.forgetSession(provider.name, resume, errorClass === 'resume_invalid' ? 'refused' : 'overflown', nowMs);
      } else if (conversation !== null) {
        const session = { id: conversation, lastUsedMs: nowMs, synthetic: true, afterSeq: markAfter(past) };
        outbound.storeSession(provider.name, session, nowMs);
      }
    });
  }

  async #persisted<T>(work: () => T): Promise<T> {
    const { stop, settings, log } = this.#parts;
    let result: { readonly value: T } | undefined;
    await persist(
      () => {
        result = { value: work() };
      },
      { stop, graceMs: settings.stopGraceMs, log },
    );
    if (result === undefined) throw new Error('nothing was done');
    return result.value;
  }
}

const HISTORY_UNREADABLE: Failed = {
  kind: 'failed',
  errorClass: 'retryable',
  error: 'what was said before cannot be read: inbound.db is locked or being rolled back',
  retryAtMs: null,
};

function isPastToBlame(outcome: Outcome, past: Past): outcome is Failed {
  if (outcome.kind !== 'failed') return false;
  if (outcome.errorClass === 'resume_invalid') return past.resume !== null;
  return outcome.errorClass === 'context_overflow' && (past.resume !== null || past.history.length > 0);
}

function withoutPast(past: Past): Past {
  return { ...past, resume: null, history: [], afterSeq: markAfter(past) };
}

function markAfter({ history, afterSeq }: Past): number | null {
  return history.at(-1)?.seq ?? afterSeq;
}

/** What a failed turn leaves: never a new id. */
function changeOf(provider: Provider, past: Past, outcome: Outcome): SessionChange | null {
  if (provider.resumes === 'none' || outcome.kind === 'unfinished') return null;
  if (provider.resumes === 'synthetic') {
    if (past.conversation === null || outcome.kind === 'failed') return null;
    const session = { id: past.conversation, synthetic: true, afterSeq: past.afterSeq };
    return { kind: 'keep', provider: provider.name, session };
  }
  if (outcome.kind === 'failed') {
    const isLost = outcome.errorClass === 'resume_invalid' || outcome.errorClass === 'context_overflow';
    return isLost ? { kind: 'forget', provider: provider.name } : null;
  }
  if (outcome.providerSession === null) return null;
  const session = { id: outcome.providerSession, synthetic: false, afterSeq: null };
  return { kind: 'keep', provider: provider.name, session };
}

/** Only an overflow's own answers are kept: what fails otherwise is done again as a whole. */
function withAnswers(kept: readonly Answer[], outcome: Outcome): Outcome {
  if (outcome.kind === 'unfinished') return outcome;
  if (outcome.kind === 'completed') return { ...outcome, answers: [...kept, ...outcome.answers] };
  if (outcome.errorClass !== 'context_overflow') return outcome;
  return { ...outcome, answers: [...kept, ...(outcome.answers ?? [])] };
}
