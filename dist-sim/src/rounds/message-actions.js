import { guardAfterMessages } from '../core/guard.js';
import { formatInstant } from '../protocol/times.js';
import { tellHeldOrNot } from './end-incarnation.js';
const KINDS = new Set([
    ...['complete', 'fail', 'retry', 'defer', 'replay', 'forget', 'clear'],
    ...['advance', 'recur', 'retire'],
]);
export function isMessageAction(action) {
    return KINDS.has(action.kind);
}
/** All that the plan decided of messages, as the one step that the files take. */
export function settleStep(actions, epoch, nowMs) {
    const claims = actions.flatMap((action) => ('claim' in action && action.claim !== null ? [action.claim] : []));
    const counted = actions.flatMap((action) => 'claim' in action &&
        'change' in action &&
        action.claim !== null &&
        typeof action.change.set.settledClaim === 'string'
        ? [action.messageId]
        : []);
    const known = actions.flatMap((action) => action.kind === 'forget' && action.reason === 'already_counted' ? [action.claim.messageId] : []);
    const left = actions.flatMap((action) => (action.kind === 'clear' ? [action.messageId] : []));
    return {
        epoch,
        changes: changesOf(actions),
        claims,
        ackRows: actions.flatMap((action) => ('dropAck' in action && action.dropAck ? [action.messageId] : [])),
        clear: [...new Set([...counted, ...known, ...left])],
        nowMs,
    };
}
export function changesOf(actions) {
    return actions.flatMap((action) => ('change' in action && action.change !== null ? [action.change] : []));
}
/** Messages in a row that failed by settling hold the session; one that completes starts the row anew. */
export function guardMessages(porter, record, actions) {
    const completed = actions.filter((action) => action.kind === 'complete').length;
    const settledFailed = actions.filter((action) => action.kind === 'fail' && action.by === 'settle').length;
    if (completed + settledFailed === 0)
        return;
    const before = porter.registry.guard(record.address);
    const after = guardAfterMessages(before, { settledFailed, completed }, porter.clock.now());
    porter.registry.saveGuard(record.address, after);
    tellHeldOrNot(porter, record, before, after);
}
export function tellMessages(porter, record, actions) {
    for (const action of actions) {
        if (action.kind === 'forget' || action.kind === 'clear')
            continue;
        if (action.kind === 'advance' || action.kind === 'recur' || action.kind === 'retire') {
            tellSeries(porter, record, action);
            continue;
        }
        const fields = { session: record.address, epoch: record.epoch, messageId: action.messageId, reason: action.reason };
        porter.log.info({ ...fields, tries: action.change.set.tries }, `message ${action.kind}`);
        if (action.kind !== 'fail')
            continue;
        porter.notices.raise('dead_letter', record.address, `message ${action.messageId} of ${record.address} ended as failed (${action.change.set.error ?? action.reason}); it is kept: "nightporter dead list"`);
    }
}
function tellSeries(porter, record, action) {
    const fields = { session: record.address, messageId: action.messageId, series: action.seriesId };
    if (action.kind !== 'retire') {
        const next = { reason: action.reason, dueAt: formatInstant(action.dueAtMs) };
        porter.log.info({ ...fields, ...next }, action.kind === 'recur' ? 'series goes on' : 'occurrence missed');
        return;
    }
    porter.log.warn({ ...fields, reason: action.reason, detail: action.detail }, 'series retired');
    porter.notices.raise('series_retired', record.address, `series ${action.seriesId} of ${record.address} has ended (${action.detail}): begin it anew with "nightporter send ${record.address} TEXT --cron ..."`);
}
/** An older file held two live rows of a series, or two rows of one occurrence; the earliest of each goes on. */
export function tellDuplicates(porter, record, duplicates) {
    if (duplicates === undefined || duplicates === 0)
        return;
    porter.notices.raise('duplicate_series', record.address, `the file of ${record.address} held ${String(duplicates)} rows too many of its series: the earliest of each goes on, the others run once at most. See "nightporter schedule list ${record.address}"`);
}
//# sourceMappingURL=message-actions.js.map