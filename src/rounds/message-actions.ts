import type { Action } from '../core/action.js';
import type { MessageChange } from '../protocol/rows.js';
import { formatInstant } from '../protocol/times.js';
import type { Epoch } from '../protocol/address.js';
import type { SessionRecord } from '../ports/registry.js';
import type { RestFailure, SettleStep } from '../ports/session-files.js';
import type { Porter } from './porter.js';

export type MessageAction = Extract<
  Action,
  {
    readonly kind:
      | 'complete'
      | 'fail'
      | 'fail_rest'
      | 'retry'
      | 'defer'
      | 'replay'
      | 'forget'
      | 'clear'
      | 'advance'
      | 'recur'
      | 'retire';
  }
>;

const KINDS: ReadonlySet<Action['kind']> = new Set<MessageAction['kind']>([
  ...(['complete', 'fail', 'fail_rest', 'retry', 'defer', 'replay', 'forget', 'clear'] as const),
  ...(['advance', 'recur', 'retire'] as const),
]);

export function isMessageAction(action: Action): action is MessageAction {
  return KINDS.has(action.kind);
}

/** All that the plan decided of messages, as the one step that the files take. */
export function settleStep(actions: readonly MessageAction[], epoch: Epoch, nowMs: number): SettleStep {
  const claims = actions.flatMap((action) => ('claim' in action && action.claim !== null ? [action.claim] : []));
  const counted = actions.flatMap((action) =>
    'claim' in action &&
    'change' in action &&
    action.claim !== null &&
    typeof action.change.set.settledClaim === 'string'
      ? [action.messageId]
      : [],
  );
  const known = actions.flatMap((action) =>
    action.kind === 'forget' && action.reason === 'already_counted' ? [action.claim.messageId] : [],
  );
  const left = actions.flatMap((action) => (action.kind === 'clear' ? [action.messageId] : []));
  return {
    epoch,
    changes: changesOf(actions),
    rest: restOf(actions),
    claims,
    ackRows: actions.flatMap((action) => ('dropAck' in action && action.dropAck ? [action.messageId] : [])),
    clear: [...new Set([...counted, ...known, ...left])],
    nowMs,
  };
}

/** What all other unfinished one-shot messages end with; null: they do not. */
export function restOf(actions: readonly MessageAction[]): RestFailure | null {
  const rest = actions.find((action) => action.kind === 'fail_rest');
  return rest === undefined ? null : { error: rest.error, errorClass: rest.reason };
}

export function changesOf(actions: readonly MessageAction[]): readonly MessageChange[] {
  return actions.flatMap((action) => ('change' in action && action.change !== null ? [action.change] : []));
}

export function tellMessages(porter: Porter, record: SessionRecord, actions: readonly MessageAction[]): void {
  for (const action of actions) {
    if (action.kind === 'forget' || action.kind === 'clear') continue;
    if (action.kind === 'advance' || action.kind === 'recur' || action.kind === 'retire') {
      tellSeries(porter, record, action);
      continue;
    }
    if (action.kind === 'fail_rest') {
      porter.log.warn({ session: record.address, reason: action.reason, error: action.error }, 'all that waits fails');
      continue;
    }
    const fields = { session: record.address, epoch: record.epoch, messageId: action.messageId, reason: action.reason };
    porter.log.info({ ...fields, tries: action.change.set.tries }, `message ${action.kind}`);
    if (action.kind !== 'fail') continue;
    if (action.reason === 'stale_active') {
      porter.notices.raise(
        'stale_active',
        null,
        'turns that an outage cut off long ago ended as dead letters: "nightporter dead list --reason stale_active" shows them, "nightporter dead retry --reason stale_active" runs them all again',
      );
      continue;
    }
    porter.notices.raise(
      'dead_letter',
      record.address,
      `message ${action.messageId} of ${record.address} ended as failed (${action.change.set.error ?? action.reason}); it is kept: "nightporter dead list"`,
    );
  }
}

function tellSeries(
  porter: Porter,
  record: SessionRecord,
  action: Extract<MessageAction, { readonly kind: 'advance' | 'recur' | 'retire' }>,
): void {
  const fields = { session: record.address, messageId: action.messageId, series: action.seriesId };
  if (action.kind !== 'retire') {
    const next = { reason: action.reason, dueAt: formatInstant(action.dueAtMs) };
    porter.log.info({ ...fields, ...next }, action.kind === 'recur' ? 'series goes on' : 'occurrence missed');
    return;
  }
  porter.log.warn({ ...fields, reason: action.reason, detail: action.detail }, 'series retired');
  porter.notices.raise(
    'series_retired',
    record.address,
    `series ${action.seriesId} of ${record.address} has ended (${action.detail}): begin it anew with "nightporter send ${record.address} TEXT --cron ..."`,
  );
}

/** An older file held two live rows of a series, or two rows of one occurrence; the earliest of each goes on. */
export function tellDuplicates(
  porter: Porter,
  record: Pick<SessionRecord, 'address'>,
  duplicates: number | undefined,
): void {
  if (duplicates === undefined || duplicates === 0) return;
  porter.notices.raise(
    'duplicate_series',
    record.address,
    `the file of ${record.address} held ${String(duplicates)} rows too many of its series: the earliest of each goes on, the others run once at most. See "nightporter schedule list ${record.address}"`,
  );
}
