import type { Action } from '../core/action.js';
import { isChange } from '../core/action.js';
import type { SessionObservation } from '../core/observation.js';
import type { DueSummary, MessageCounts } from '../core/facts.js';
import type { SessionRecord } from '../ports/registry.js';
import type { FilesOutcome, Written } from '../ports/session-files.js';
import { epochOf } from '../protocol/address.js';
import { inspectSession } from './observe.js';
import { isUp } from './fleet.js';
import type { Supervised } from './fleet.js';
import { changesOf, isMessageAction, restOf, settleStep, tellDuplicates, tellMessages } from './message-actions.js';
import type { MessageAction } from './message-actions.js';
import type { Pass, Porter } from './porter.js';
import type { Room } from './room.js';
import type { Stops } from './stop-container.js';
import { dropReplays, replaysWaitNoMore } from './replays.js';
import { quarantine } from './quarantine.js';
import { recordTurnEnds, turnEnds } from './turn-ends.js';
import { replaceFile } from './replace-file.js';
import { describeAction } from './describe.js';

export interface Execution {
  readonly record: SessionRecord;
  readonly one: Supervised;
  readonly observation: SessionObservation;
  readonly actions: readonly Action[];
  readonly pass: Pass;
}

/** `again`: the plan was overtaken. Null: nothing was written. */
export type Verdict = 'again' | AfterWrite | null;

/** What is due and counted after the writes. */
export interface AfterWrite {
  readonly due: DueSummary;
  readonly counts: MessageCounts;
  readonly liveSeries: number;
  /** Dead letters that the operator was told of. */
  readonly told: number;
}

/** Carries out a plan. Starts and stops are begun here and go on by themselves; their end is a hint. */
export class Executor {
  readonly #porter: Porter;
  readonly #room: Room;
  readonly #stops: Stops;

  constructor(porter: Porter, room: Room, stops: Stops) {
    this.#porter = porter;
    this.#room = room;
    this.#stops = stops;
  }

  async execute(execution: Execution): Promise<Verdict> {
    const { record, actions, pass } = execution;
    if (pass.kind === 'dry') throw new Error('a dry run executes nothing');
    const messages = actions.filter(isMessageAction);
    let verdict: Verdict = null;
    if (messages.length > 0) {
      verdict = await this.#write(execution, messages);
      if (verdict === 'again') return 'again';
      // Writing takes its time: a turn may have begun that a stop must know of.
      if (verdict !== null && actions.some((action) => action.kind === 'stop')) return 'again';
    }
    // What could not be written leaves claims behind: nothing is woken on top of them.
    const isUnwritten = messages.length > 0 && verdict === null;
    const wants = isUnwritten ? actions.filter((action) => action.kind !== 'wake') : actions;
    if (!wants.some((action) => action.kind === 'wake')) {
      this.#room.forget(record.address);
      this.#porter.faults.worked('start', record.address);
    }
    this.#porter.providers.forget(record.address);
    if (!wants.some((action) => action.kind === 'wait' && action.reason === 'budget_spent')) {
      this.#porter.budgets.forget(record.address);
    }
    for (const action of wants) {
      if (isChange(action) && action.kind !== 'wake') pass.record(describeAction(record.address, action));
      await this.#rest(execution, action);
    }
    return verdict;
  }

  async #rest(execution: Execution, action: Action): Promise<void> {
    const { record, one, pass } = execution;
    const session = record.address;
    switch (action.kind) {
      case 'stop':
        // Once a round: what a stop could not end is not stopped again by its own hint.
        if (one.blocked && pass.kind !== 'round') return;
        await this.#stops.stop(session, one, action.reason, action.detail);
        return;
      case 'wake':
        this.#room.request(
          {
            session,
            group: record.group,
            dueSinceMs: action.dueSinceMs,
            reason: action.reason,
            absentSinceMonotonicMs: one.absentSinceMonotonicMs,
          },
          pass,
        );
        return;
      case 'quarantine':
        quarantine(this.#porter, session, action.file, action.detail);
        return;
      case 'replace_file':
        await replaceFile(this.#porter, record, one, action.file, action.detail);
        return;
      case 'hold':
        return;
      case 'drop_replay':
        this.#porter.registry.dropReplays(session, [{ id: action.messageId, attempt: action.attempt }]);
        return;
      case 'wait': {
        this.#porter.log.debug({ session, reason: action.reason, detail: action.detail }, 'waits');
        if (action.untilMs === null) return;
        if (action.reason === 'budget_spent') this.#porter.budgets.waits(record, action.untilMs, action.detail);
        const isForProvider = action.reason === 'provider_limited' || action.reason === 'provider_untried';
        if (isForProvider) this.#porter.providers.waits(record, action.untilMs);
        else this.#porter.alarm(session, action.untilMs - this.#porter.clock.now());
        return;
      }
      default:
        return;
    }
  }

  /** Syncs and settles: one step for the files, the container looked for by name before it. */
  async #write(execution: Execution, messages: readonly MessageAction[]): Promise<Verdict> {
    const { record, one, observation } = execution;
    const needsNoContainer = messages.some(
      (action) =>
        action.kind === 'advance' ||
        action.kind === 'forget' ||
        action.kind === 'clear' ||
        ('by' in action && action.by === 'settle') ||
        ('dropAck' in action && action.dropAck),
    );
    const ends = turnEnds(this.#porter, record, observation, messages);
    let outcome: FilesOutcome<Written>;
    if (needsNoContainer) {
      if (observation.container.kind !== 'none' || one.inFlight !== null) return 'again';
      const found = await inspectSession(this.#porter, record);
      if (found === 'unknown') return null;
      if (found !== null && isUp(found)) {
        one.container = found;
        return 'again';
      }
      const step = settleStep(messages, epochOf(record.epoch), this.#porter.clock.now());
      await recordTurnEnds(this.#porter, record, ends, messages);
      outcome = await this.#porter.files.settle(record.address, step);
    } else {
      await recordTurnEnds(this.#porter, record, ends, messages);
      outcome = await this.#porter.files.change(record.address, changesOf(messages), restOf(messages));
    }
    if (outcome.kind !== 'ok') {
      this.#porter.alarm(record.address, 1_000);
      return null;
    }
    if (!outcome.written) return 'again';
    const written = outcome;
    one.turns += messages.filter((action) => action.kind === 'complete' && action.by === 'ack').length;
    await this.#porter.turn();
    this.#porter.registry.together(() => {
      tellMessages(this.#porter, record, messages);
      this.#porter.providers.ended(record, messages);
      this.#porter.budgets.ended(record, observation, messages);
      tellDuplicates(this.#porter, record, written.duplicates);
      dropReplays(this.#porter, record, messages);
    });
    const told = messages.filter(({ kind }) => kind === 'fail').length;
    if (replaysWaitNoMore(messages)) return 'again';
    // What moved may not be due any more.
    if (messages.some(({ kind }) => kind === 'advance')) return 'again';
    return { due: outcome.due, counts: outcome.counts, liveSeries: outcome.liveSeries, told };
  }
}
