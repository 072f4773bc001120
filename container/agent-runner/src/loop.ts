import { chooseTurn } from './choose.js';
import type { PendingRow } from './choose.js';
import { lookAtInbound, NewsGate } from './inbound.js';
import type { Log } from './log.js';
import { isTransient } from './outbound.js';
import type { Outbound } from './outbound.js';
import { pause, persist } from './persist.js';
import type { Message, Outcome, Provider, TurnReport } from './provider.js';
import type { Settings } from './settings.js';
import { TurnRunner } from './turn-runner.js';

const BUSY_POLL_MS = 100;
const IDLE_POLL_MS = 250;
/** Polls are quick for this long after there was work. */
const BUSY_FOR_MS = 10_000;
/** Progress is written at most this often. */
const PROGRESS_EVERY_MS = 1_000;

/** `limited`: its provider limits it. `turns_spent`: it was given no more. Whether and when there are others is the host's to decide. */
export type LoopEnd = 'idle' | 'stopped' | 'limited' | 'turns_spent';

/** Polls, claims, runs turns and acknowledges them, until it is told to stop or has been idle for long enough. */
export class Loop {
  readonly #settings: Settings;
  readonly #outbound: Outbound;
  readonly #claimsPerTurn: number;
  readonly #turns: TurnRunner;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #gate: NewsGate;
  /** Ids of the `on_wake` rows that the first readable poll saw as due; undefined before it. */
  #onWake: ReadonlySet<string> | undefined;
  #unreadable: string | undefined;

  constructor(parts: {
    readonly settings: Settings;
    readonly outbound: Outbound;
    /** The session's own first, then those that stand in for it. */
    readonly providers: readonly [Provider, ...Provider[]];
    readonly log: Log;
    readonly stop: AbortSignal;
  }) {
    this.#settings = parts.settings;
    this.#outbound = parts.outbound;
    this.#claimsPerTurn = Math.min(...parts.providers.map(({ claimsPerTurn }) => claimsPerTurn));
    this.#turns = new TurnRunner(parts);
    this.#log = parts.log;
    this.#stop = parts.stop;
    this.#gate = new NewsGate(parts.settings.inbound);
  }

  async run(): Promise<LoopEnd> {
    let workedAtMs = performance.now();
    let turns = 0;
    while (!this.#stop.aborted) {
      const messages = this.#claimNext();
      if (messages !== undefined) {
        const outcome = await this.#run(messages);
        turns += 1;
        if (outcome.kind === 'failed' && outcome.errorClass === 'rate_limited') return 'limited';
        if (turns >= this.#settings.maxTurns) return 'turns_spent';
        workedAtMs = performance.now();
        // Timers and signals get their chance between the turns of a burst.
        await new Promise(setImmediate);
        continue;
      }
      this.#outbound.declare();
      const idleMs = performance.now() - workedAtMs;
      if (idleMs >= this.#settings.idleMs) return 'idle';
      const pollMs = idleMs < BUSY_FOR_MS ? BUSY_POLL_MS : IDLE_POLL_MS;
      await pause(Math.min(pollMs, this.#settings.idleMs - idleMs), this.#stop);
    }
    return 'stopped';
  }

  /** Claims the messages of the next turn; undefined: nothing to do, or nothing that can be read or claimed now. */
  #claimNext(): readonly Message[] | undefined {
    const { news, signature } = this.#gate.mayHaveNews();
    if (!news) return undefined;
    try {
      const nowMs = Date.now();
      const look = this.#outbound.withAcks((isAcked) =>
        lookAtInbound(this.#settings.inbound, (pending) => {
          this.#onWake ??= new Set(pending.filter((row) => row.onWake && isDue(row, nowMs)).map((row) => row.id));
          const given = this.#onWake;
          return chooseTurn(pending, {
            nowMs,
            maxClaims: Math.min(this.#settings.maxClaims, this.#claimsPerTurn),
            isOnWakeGiven: (row) => given.has(row.id),
            isAcked,
          });
        }),
      );
      if (look.kind === 'unreadable') {
        // A lock is the host at work: too common to tell.
        if (look.code !== this.#unreadable && look.code !== 'SQLITE_BUSY')
          this.#log.info('inbound.db cannot be read now', { reason: look.code });
        this.#unreadable = look.code;
        this.#gate.reset();
        return undefined;
      }
      this.#unreadable = undefined;
      if (look.messages.length === 0) {
        this.#gate.settle(signature, look.choice.nextDueAtMs);
        return undefined;
      }
      this.#gate.reset();
      this.#outbound.claim(look.messages, nowMs);
      return look.messages;
    } catch (error) {
      if (!isTransient(error)) throw error;
      this.#log.error('outbound.db cannot be used now', { reason: error.code });
      this.#gate.reset();
      return undefined;
    }
  }

  async #run(messages: readonly Message[]): Promise<Outcome> {
    const startedAtMs = performance.now();
    this.#log.info('turn started', { messages: messages.length, tries: messages.at(-1)?.tries ?? 0 });
    const turned = await this.#turns.run(messages, this.#report());
    await persist(
      () => {
        if ('session' in turned) this.#outbound.finish(messages, turned, Date.now());
        else this.#outbound.release(messages, turned.usage, Date.now());
      },
      { stop: this.#stop, graceMs: this.#settings.stopGraceMs, log: this.#log },
    );
    this.#log.info('turn ended', {
      outcome: turned.outcome.kind,
      ...failureFields(turned.outcome),
      durationMs: Math.round(performance.now() - startedAtMs),
    });
    return turned.outcome;
  }

  #report(): TurnReport {
    let toldAtMs = performance.now();
    return {
      progress: () => {
        if (performance.now() - toldAtMs < PROGRESS_EVERY_MS) return;
        toldAtMs = performance.now();
        this.#outbound.progress(Date.now());
      },
      tool: (name, timeoutMs) => {
        this.#outbound.tool(name === null ? null : { name, timeoutMs, startedAtMs: Date.now() });
      },
    };
  }
}

function isDue(row: PendingRow, nowMs: number): boolean {
  return row.processAfterMs === null || row.processAfterMs <= nowMs;
}

function failureFields(outcome: Outcome): Record<string, string> {
  return outcome.kind === 'failed' ? { errorClass: outcome.errorClass } : {};
}
