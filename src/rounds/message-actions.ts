import type { Action } from '../core/action.js';
import { guardAfterMessages } from '../core/guard.js';
import type { Epoch } from '../protocol/address.js';
import type { SessionRecord } from '../ports/registry.js';
import type { SettleStep } from '../ports/session-files.js';
import { tellHeldOrNot } from './end-incarnation.js';
import type { Porter } from './porter.js';

export type MessageAction = Extract<
  Action,
  { readonly kind: 'complete' | 'fail' | 'retry' | 'defer' | 'replay' | 'forget' | 'clear' }
>;

export function isMessageAction(action: Action): action is MessageAction {
  return ['complete', 'fail', 'retry', 'defer', 'replay', 'forget', 'clear'].includes(action.kind);
}

/** All that the plan decided of messages, as the one step that the files take. */
export function settleStep(actions: readonly MessageAction[], epoch: Epoch, nowMs: number): SettleStep {
  const claims = actions.flatMap((action) => ('claim' in action && action.claim !== null ? [action.claim] : []));
  const counted = actions.flatMap((action) =>
    'change' in action && action.claim !== null && typeof action.change.set.settledClaim === 'string'
      ? [action.messageId]
      : [],
  );
  const known = actions.flatMap((action) =>
    action.kind === 'forget' && action.reason === 'already_counted' ? [action.claim.messageId] : [],
  );
  const left = actions.flatMap((action) => (action.kind === 'clear' ? [action.messageId] : []));
  return {
    epoch,
    changes: actions.flatMap((action) => ('change' in action ? [action.change] : [])),
    claims,
    ackRows: actions.flatMap((action) => ('dropAck' in action && action.dropAck ? [action.messageId] : [])),
    clear: [...new Set([...counted, ...known, ...left])],
    nowMs,
  };
}

/** Messages in a row that failed by settling hold the session; one that completes starts the row anew. */
export function guardMessages(porter: Porter, record: SessionRecord, actions: readonly MessageAction[]): void {
  const completed = actions.filter((action) => action.kind === 'complete').length;
  const settledFailed = actions.filter((action) => action.kind === 'fail' && action.by === 'settle').length;
  if (completed + settledFailed === 0) return;
  const before = porter.registry.guard(record.address);
  const after = guardAfterMessages(before, { settledFailed, completed }, porter.clock.now());
  porter.registry.saveGuard(record.address, after);
  tellHeldOrNot(porter, record, before, after);
}

export function tellMessages(porter: Porter, record: SessionRecord, actions: readonly MessageAction[]): void {
  for (const action of actions) {
    if (action.kind === 'forget' || action.kind === 'clear') continue;
    const fields = { session: record.address, epoch: record.epoch, messageId: action.messageId, reason: action.reason };
    porter.log.info({ ...fields, tries: action.change.set.tries }, `message ${action.kind}`);
    if (action.kind !== 'fail') continue;
    porter.notices.raise(
      'dead_letter',
      record.address,
      `message ${action.messageId} of ${record.address} ended as failed (${action.change.set.error ?? action.reason}); it is kept: "nightporter dead list"`,
    );
  }
}
