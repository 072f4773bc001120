import type { ErrorClass } from '../../../src/protocol/rows.js';
import type { Usage } from './usage.js';

/** A message as a provider sees it. Texts are as found in inbound.db. */
export interface Message {
  readonly id: string;
  readonly seq: number;
  readonly kind: string;
  readonly timestamp: string;
  /** JSON text, or what stands in its place. */
  readonly content: string;
  readonly attempt: number;
  /** Turns with it that did not end. */
  readonly tries: number;
  /** false: context of the turn, not answered. */
  readonly trigger: boolean;
  readonly platformId: string | null;
  readonly channelType: string | null;
  readonly threadId: string | null;
}

/** What was said in the session before. */
export interface Said {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly seq: number;
}

/** What is done in one go, from claim to ack: a fixed set of messages. What arrives meanwhile waits for the next one. */
export interface Turn {
  /** Context first, then at least one triggering message, oldest first. */
  readonly messages: readonly Message[];
  /** The provider's own session id, of an earlier turn; null: it begins anew. */
  readonly resume: string | null;
  /** Our id of the conversation, for a provider without ids of its own. Never sent as one. */
  readonly conversation: string | null;
  /** What such a provider has to be told anew, oldest first. */
  readonly history: readonly Said[];
}

export interface Answer {
  readonly to: Message;
  readonly text: string;
  /** Its id, where its files lie in the outbox already; else it gets one. */
  readonly id?: string;
}

export interface Completed {
  readonly kind: 'completed';
  readonly answers: readonly Answer[];
  /** To be resumed by the next turn; null: leave what is kept. */
  readonly providerSession: string | null;
  readonly usage?: Usage;
}

export interface Failed {
  readonly kind: 'failed';
  readonly errorClass: ErrorClass;
  /** At most 4 KiB. */
  readonly error: string;
  readonly retryAtMs: number | null;
  /** What was produced and paid for before a `context_overflow`: kept. */
  readonly answers?: readonly Answer[];
  /** The provider cannot be had at all, whatever it is asked: another one of the chain may do the turn. */
  readonly isDown?: boolean;
  readonly usage?: Usage;
}

/** Ended by the stop signal before it was done: the claims are released. */
export interface Unfinished {
  readonly kind: 'unfinished';
  readonly usage?: Usage;
}

export type Outcome = Completed | Failed | Unfinished;

export interface TurnReport {
  /** Something happened; as often as one likes. */
  progress(): void;
  /** A tool runs that may take up to `timeoutMs` (null: not declared); a null name: none does. */
  tool(name: string | null, timeoutMs: number | null): void;
}

/**
 * What a provider remembers between turns: `own_ids`, it has sessions and names them; `synthetic`, it has none, the
 * conversation is ours and gets an id of ours; `none`, every turn stands alone.
 */
export type Resumes = 'own_ids' | 'synthetic' | 'none';

export interface Provider {
  readonly name: string;
  /** Most triggering messages that one turn takes. */
  readonly claimsPerTurn: number;
  readonly resumes: Resumes;
  /**
   * Never rejects for what its program or service does: that is an outcome. `stop` belongs to this call alone: aborted
   * when the runner is told to stop, and once the call is over.
   */
  run(turn: Turn, report: TurnReport, stop: AbortSignal): Promise<Outcome>;
}
