import type { ErrorClass } from '../../../src/protocol/rows.js';

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

/** What is done in one go, from claim to ack: a fixed set of messages. What arrives meanwhile waits for the next one. */
export interface Turn {
  /** Context first, then at least one triggering message, oldest first. */
  readonly messages: readonly Message[];
  /** The provider's own session id, of an earlier turn. */
  readonly resume: string | null;
}

export interface Answer {
  readonly to: Message;
  readonly text: string;
  /** Its id, where its files lie in the outbox already; else it gets one. */
  readonly id?: string;
}

export type Outcome =
  | {
      readonly kind: 'completed';
      readonly answers: readonly Answer[];
      /** To be resumed by the next turn; null: leave what is kept. */
      readonly providerSession: string | null;
    }
  | {
      readonly kind: 'failed';
      readonly errorClass: ErrorClass;
      /** At most 4 KiB. */
      readonly error: string;
      readonly retryAtMs: number | null;
    }
  /** Ended by the stop signal before it was done: the claims are released. */
  | { readonly kind: 'unfinished' };

export interface TurnReport {
  /** Something happened; as often as one likes. */
  progress(): void;
  /** A tool runs that may take up to `timeoutMs` (null: not declared); a null name: none does. */
  tool(name: string | null, timeoutMs: number | null): void;
}

export interface Provider {
  readonly name: string;
  /** Most triggering messages that one turn takes. */
  readonly claimsPerTurn: number;
  /** Whether a session id of its own is kept between turns. */
  readonly resumes: boolean;
  /** Never rejects for what its program or service does: that is an outcome. */
  run(turn: Turn, report: TurnReport, stop: AbortSignal): Promise<Outcome>;
}
