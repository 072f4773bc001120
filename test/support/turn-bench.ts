import { Outbound } from '../../container/agent-runner/src/outbound.js';
import type { TurnEnd } from '../../container/agent-runner/src/outbound.js';
import type { Log, LogFields } from '../../container/agent-runner/src/log.js';
import type { Message, Provider } from '../../container/agent-runner/src/provider.js';
import { TurnRunner } from '../../container/agent-runner/src/turn-runner.js';
import type { Turned } from '../../container/agent-runner/src/turn-runner.js';
import { RunnerSession } from './runner-session.js';
import type { TestMessage } from './runner-session.js';

export interface TurnOptions {
  readonly maxSessionAgeMs?: number;
  readonly historyMaxMessages?: number;
  readonly historyMaxBytes?: number;
}

/** Turns in this process, on a session's real files: the loop around them, and the host, are the test. */
export class TurnBench {
  readonly session = new RunnerSession();
  readonly outbound = new Outbound(this.session.outbound, { epoch: 1, heartbeatMs: 1_000 });
  readonly stop = new AbortController();
  readonly logged: (LogFields & { readonly msg: string })[] = [];
  progress = 0;
  readonly tools: (string | null)[] = [];
  #seq = 0;

  /** Sends a message and does its turn. */
  async turn(
    providers: readonly [Provider, ...Provider[]],
    text: string,
    options: TurnOptions & Partial<TestMessage> = {},
  ): Promise<Turned> {
    this.#seq += 2;
    // An answer's seq may be above what was counted here.
    const seq = Math.max(this.#seq, ...this.session.answers().map((row) => row.seq + 1));
    this.#seq = seq;
    const id = options.id ?? `m${String(seq)}`;
    this.session.enqueue({ ...options, id, seq, text });
    return this.turnOf(providers, messageOf(id, seq, text), options);
  }

  /** Does the turn of a message that is there. */
  async turnOf(
    providers: readonly [Provider, ...Provider[]],
    message: Message,
    options: TurnOptions = {},
  ): Promise<Turned> {
    this.outbound.claim([message], Date.now());
    const turned = await this.runner(providers, options).run([message], this.report);
    if ('session' in turned) this.outbound.finish([message], turned, Date.now());
    else this.outbound.release([message], turned.usage, Date.now());
    return turned;
  }

  runner(providers: readonly [Provider, ...Provider[]], options: TurnOptions = {}): TurnRunner {
    return new TurnRunner({
      settings: {
        inbound: this.session.inbound,
        stopGraceMs: 1_000,
        maxSessionAgeMs: options.maxSessionAgeMs ?? 86_400_000,
        historyMaxMessages: options.historyMaxMessages ?? 50,
        historyMaxBytes: options.historyMaxBytes ?? 262_144,
      },
      outbound: this.outbound,
      providers,
      log: this.log,
      stop: this.stop.signal,
    });
  }

  readonly log: Log = {
    info: (msg, fields = {}) => {
      this.logged.push({ ...fields, msg });
    },
    error: (msg, fields = {}) => {
      this.logged.push({ ...fields, msg });
    },
  };

  readonly report = {
    progress: (): void => {
      this.progress += 1;
    },
    tool: (name: string | null): void => {
      this.tools.push(name);
    },
  };

  /** The texts of a turn's answers. */
  answers(turned: Turned): string[] {
    return ((turned as Partial<TurnEnd>).outcome?.answers ?? []).map(({ text }) => text);
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

export function messageOf(id: string, seq: number, text: string): Message {
  const routing = { platformId: null, channelType: null, threadId: null };
  const content = JSON.stringify({ text });
  const timestamp = new Date().toISOString();
  return { id, seq, kind: 'chat', timestamp, content, attempt: 0, tries: 0, trigger: true, ...routing };
}
