import { guardAfterMessages } from '../core/guard.js';
import type { SessionObservation } from '../core/observation.js';
import type { SessionRecord, TurnEnd } from '../ports/registry.js';
import { epochOf } from '../protocol/address.js';
import type { Epoch } from '../protocol/address.js';
import { tellHeldOrNot } from './end-incarnation.js';
import type { MessageAction } from './message-actions.js';
import type { Porter } from './porter.js';

type Ending = Extract<MessageAction, { readonly kind: TurnEnd['outcome'] }>;

/** How attempts end by these actions, for the history of their messages. A first attempt that succeeds has none. */
export function turnEnds(
  porter: Porter,
  record: SessionRecord,
  observation: SessionObservation,
  actions: readonly MessageAction[],
): readonly TurnEnd[] {
  const acked = observation.files.kind === 'read' ? observation.files.facts.acked : [];
  const incarnations = new Map(acked.map(({ message, ack }) => [message.id, ack.incarnation]));
  return actions
    .filter((action) => isEnding(action))
    .filter((action) => !isOrdinary(porter, record, action))
    .map(({ kind, reason, messageId, change: { expect, set } }) => ({
      id: messageId,
      attempt: expect.attempt,
      epoch: epochNamed(incarnations.get(messageId) ?? null, record.epoch),
      endedAtMs: porter.clock.now(),
      outcome: kind,
      reason,
      error: set.error ?? null,
      errorClass: set.errorClass ?? null,
    }));
}

/**
 * Before the session's file says so: what a crash leaves in between is replaced by the next look. With them, and so
 * never lost and never twice, what they say to the restart guard.
 */
export async function recordTurnEnds(
  porter: Porter,
  record: SessionRecord,
  ends: readonly TurnEnd[],
  actions: readonly MessageAction[],
): Promise<void> {
  const { registry } = porter;
  const before = registry.guard(record.address);
  const after = guardAfterMessages(before, guarded(porter, record, actions), porter.clock.now());
  const isGuarded = after.settledFailures !== before.settledFailures || after.heldSinceMs !== before.heldSinceMs;
  if (ends.length === 0 && !isGuarded) return;
  await porter.turn();
  registry.together(() => {
    registry.recordTurnEnds(record.address, ends);
    if (!isGuarded) return;
    registry.saveGuard(record.address, after);
    tellHeldOrNot(porter, record, before, after);
  });
}

/**
 * Messages in a row that failed by settling hold the session; one that completes starts the row anew. What was recorded
 * by a host that was killed before the file said so is not counted again, nor is what completed with it.
 */
function guarded(
  { registry }: Porter,
  { address }: SessionRecord,
  actions: readonly MessageAction[],
): Parameters<typeof guardAfterMessages>[1] {
  const failed = actions
    .filter((action) => action.kind === 'fail')
    .filter(({ by, reason }) => by === 'settle' && reason !== 'stale_active');
  const known = failed.filter((action) =>
    registry
      .turnEnds(address, action.messageId)
      .some(({ attempt, outcome }) => outcome === 'fail' && attempt === action.change.expect.attempt),
  );
  const completed = known.length > 0 ? 0 : actions.filter((action) => action.kind === 'complete').length;
  return { settledFailed: failed.length - known.length, completed };
}

function isEnding(action: MessageAction): action is Ending {
  return ['complete', 'fail', 'retry', 'defer'].includes(action.kind);
}

/** The usual case costs no commit, unless a plan that was overtaken has left another end of this attempt behind. */
function isOrdinary({ registry }: Porter, { address }: SessionRecord, { kind, messageId, change }: Ending): boolean {
  const isFirst = change.expect.attempt === 0 && change.expect.tries === 0;
  return kind === 'complete' && isFirst && registry.turnEnds(address, messageId).length === 0;
}

/** A container may lie about its number. */
function epochNamed(incarnation: number | null, known: Epoch): Epoch {
  return incarnation !== null && incarnation > 0 && incarnation < known ? epochOf(incarnation) : known;
}
