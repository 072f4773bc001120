import type { MessageId } from '../../../src/protocol/address.js';
import { isAckOfAttempt } from '../../../src/protocol/rows.js';
import type { AckRow, MessageChange, MessageRow } from '../../../src/protocol/rows.js';
import { formatInstant } from '../../../src/protocol/times.js';
import type { Action, ClaimRef } from '../../../src/core/action.js';
import type { FilesFacts } from '../../../src/core/facts.js';
import type { LastEnd } from '../../../src/core/observation.js';
import { planSession } from '../../../src/core/plan/plan-session.js';
import type { Policy } from '../../../src/core/policy.js';
import { ack, CONTEXT, facts, idOf, message, NOW, observe, POLICY } from './builders.js';

/** Where the host dies while it carries a plan out: after none, the first or the second of its three writes; or not. */
export type Crash = 'before' | 'after_inbound' | 'after_outbound' | 'never';

export interface ModelOptions {
  readonly foreign: boolean;
  /** Whole seconds in what the runner writes. */
  readonly coarse: boolean;
  readonly policy?: Partial<Policy>;
}

/** Both files of one session in memory, its runner, and a host that carries plans out, or dies while it does. */
export class SessionModel {
  nowMs = NOW;
  epoch = 0;
  lastEnd: LastEnd | null = null;
  readonly messages = new Map<MessageId, MessageRow>();
  readonly acks = new Map<MessageId, AckRow>();
  /** Turns begun, by message, those aside that the host ended. */
  readonly turns = new Map<MessageId, number>();
  readonly #options: ModelOptions;
  readonly #policy: Policy;

  constructor(ids: readonly string[], options: ModelOptions) {
    this.#options = options;
    this.#policy = { ...POLICY, ...options.policy };
    ids.forEach((id, index) => this.messages.set(idOf(id), message({ id: idOf(id), seq: 2 * index + 2 })));
  }

  message(id: string): MessageRow {
    const found = this.messages.get(idOf(id));
    if (found === undefined) throw new Error(`no message ${id}`);
    return found;
  }

  /** A new incarnation begins; it may claim what is due, oldest first, retried ones one at a time. */
  start(): MessageRow[] {
    this.epoch += 1;
    const free = this.#due().filter(
      ({ message: row, ack: found }) => found === undefined || !isAckOfAttempt(row, found),
    );
    const rows = free.map(({ message: row }) => row);
    const retried = rows.find((row) => row.tries > 0);
    return retried === undefined ? rows : [retried];
  }

  claim(rows: readonly MessageRow[]): void {
    for (const row of rows) {
      this.turns.set(row.id, (this.turns.get(row.id) ?? 0) + 1);
      this.#write(row, { status: 'processing' });
    }
  }

  end(row: MessageRow, over: Partial<AckRow>): void {
    this.#write(row, over);
  }

  /** The incarnation is gone; turns that the host ended do not count. */
  stopped(lastEnd: LastEnd, byHost: boolean): void {
    this.lastEnd = lastEnd;
    if (!byHost) return;
    for (const row of this.acks.values()) {
      if (row.status === 'processing') this.turns.set(row.messageId, (this.turns.get(row.messageId) ?? 0) - 1);
    }
  }

  plan(): Action[] {
    const observation = observe(this.facts(), { epoch: this.epoch, lastEnd: this.lastEnd });
    return planSession(observation, this.#policy, { ...CONTEXT, nowMs: this.nowMs });
  }

  /** One look that carries out what it planned, as the settling step does: count, delete, clear. */
  look(crash: Crash): Action[] {
    const actions = this.plan();
    if (crash === 'before') return actions;
    const dropped = actions.filter((action) => 'dropAck' in action && action.dropAck);
    for (const action of dropped) if ('messageId' in action) this.acks.delete(action.messageId);
    for (const action of actions) if ('change' in action && action.change !== null) this.#change(action.change);
    if (crash === 'after_inbound') return actions;
    for (const action of actions) if ('claim' in action && action.claim !== null) this.#delete(action.claim);
    if (crash === 'after_outbound') return actions;
    for (const action of actions) {
      const id =
        action.kind === 'forget' ? action.claim.messageId : 'messageId' in action ? action.messageId : undefined;
      const row = id === undefined ? undefined : this.messages.get(id);
      if (row !== undefined) this.messages.set(row.id, { ...row, settledClaim: null });
    }
    return actions;
  }

  facts(): FilesFacts {
    const unfinished = [...this.messages.values()].filter(({ status }) => status === 'pending');
    const free = this.#due().filter(
      ({ message: row, ack: found }) => found === undefined || !isAckOfAttempt(row, found),
    );
    const dueAt = free.map(({ message: row }) => row.processAfterMs ?? row.timestampMs);
    return facts({
      acked: unfinished.flatMap((row) => {
        const found = this.acks.get(row.id);
        return found === undefined ? [] : [{ message: row, ack: found, answered: false }];
      }),
      strayClaims: [...this.acks.values()].filter(
        (row) => row.status === 'processing' && this.messages.get(row.messageId)?.status !== 'pending',
      ),
      marksToClear: unfinished
        .filter((row) => row.settledClaim !== null && this.acks.get(row.id)?.status !== 'processing')
        .map(({ id }) => id),
      due: { dueCount: free.length, oldestDueAtMs: free.length === 0 ? null : Math.min(...dueAt), nextDueAtMs: null },
    });
  }

  #due(): { readonly message: MessageRow; readonly ack: AckRow | undefined }[] {
    return [...this.messages.values()]
      .filter((row) => row.status === 'pending' && (row.processAfterMs ?? row.timestampMs) <= this.nowMs)
      .map((row) => ({ message: row, ack: this.acks.get(row.id) }));
  }

  #write(row: MessageRow, over: Partial<AckRow>): void {
    const text = formatInstant(this.nowMs);
    const own = this.#options.foreign
      ? { attempt: null, incarnation: null }
      : { attempt: row.attempt, incarnation: this.epoch };
    const statusChanged = this.#options.coarse ? `${text.slice(0, 10)} ${text.slice(11, 19)}` : text;
    this.acks.set(row.id, ack({ messageId: row.id, statusChanged, ...own, ...over }));
  }

  #change({ id, expect, set }: MessageChange): void {
    const row = this.messages.get(id);
    if (row === undefined || row.attempt !== expect.attempt || row.tries !== expect.tries) {
      throw new Error(`the plan does not know ${id} as it is`);
    }
    const { status = row.status, tries = row.tries, attempt = row.attempt, deferrals = row.deferrals } = set;
    const { processAfterMs = row.processAfterMs, settledClaim = row.settledClaim } = set;
    this.messages.set(id, { ...row, status, tries, attempt, deferrals, processAfterMs, settledClaim });
  }

  #delete(claim: ClaimRef): void {
    const row = this.acks.get(claim.messageId);
    const isSame =
      row?.status === 'processing' && row.statusChanged === claim.statusChanged && row.attempt === claim.attempt;
    if (isSame) this.acks.delete(claim.messageId);
  }
}
