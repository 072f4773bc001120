import type { Action } from '../core/action.js';
import type { SweepAction } from '../ports/rounds.js';
import type { SessionAddress } from '../protocol/address.js';
import { formatInstant } from '../protocol/times.js';

/** An action as people and scripts see it: `session`, `action`, `reason`, and what is its own. */
export function describeAction(session: SessionAddress, action: Action): SweepAction {
  const base = { session, action: action.kind, reason: action.reason };
  switch (action.kind) {
    case 'complete':
      return { ...base, message: action.messageId };
    case 'fail':
      return { ...base, message: action.messageId, error: action.change.set.error ?? null };
    case 'retry':
    case 'replay':
    case 'defer':
      return {
        ...base,
        message: action.messageId,
        dueAt: formatInstant(action.dueAtMs),
        tries: action.change.set.tries ?? action.change.expect.tries,
      };
    case 'recur':
      return {
        ...base,
        message: action.messageId,
        series: action.seriesId,
        dueAt: formatInstant(action.dueAtMs),
        missed: action.missed,
      };
    case 'advance':
      return { ...base, message: action.messageId, series: action.seriesId, dueAt: formatInstant(action.dueAtMs) };
    case 'retire':
      return { ...base, message: action.messageId, series: action.seriesId, detail: action.detail };
    case 'forget':
      return { ...base, message: action.claim.messageId };
    case 'drop_replay':
    case 'clear':
      return { ...base, message: action.messageId };
    case 'stop':
      return { ...base, detail: action.detail };
    case 'quarantine':
    case 'replace_file':
      return { ...base, file: action.file, detail: action.detail };
    case 'wake':
      return { ...base, dueSince: formatInstant(action.dueSinceMs) };
    case 'wait':
      return {
        ...base,
        detail: action.detail,
        until: action.untilMs === null ? null : formatInstant(action.untilMs),
      };
    case 'fail_rest':
      return { ...base, error: action.error };
    case 'hold':
      return base;
  }
}
