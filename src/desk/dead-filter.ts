import { NightporterError } from '../protocol/errors.js';
import type { SessionAddress } from '../protocol/address.js';
import type { FailedMessage } from '../ports/session-files.js';
import type { DeadFilter, DeadSelection } from './api.js';
import { quoted, requireAddress, requireDuration, requireInstant, requireName } from './input-texts.js';

/** A dead letter with why its last turn ended. */
export interface DeadLetter extends FailedMessage {
  readonly session: SessionAddress;
  readonly reason: string;
  /** It waits to be tried again since then; null: nobody asked for that. */
  readonly replayRequestedAtMs: number | null;
}

/** @throws NightporterError `usage` */
export function readFilter(
  filter: DeadFilter,
  until: string | undefined,
  nowMs: number,
): (letter: DeadLetter) => boolean {
  if (filter.session !== undefined) requireAddress(filter.session);
  if (filter.group !== undefined) requireName(filter.group, 'group');
  const { reason, errorClass, olderThan, newerThan, limit } = filter;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw new NightporterError('usage', `${quoted(String(limit))} is no limit: write a whole number from 1`);
  }
  const olderMs = olderThan === undefined ? -1 : requireDuration(olderThan, '--older-than');
  const newerMs = newerThan === undefined ? Infinity : requireDuration(newerThan, '--newer-than');
  const untilMs = until === undefined ? Infinity : requireInstant(until, 'until');
  return (letter) => {
    const endedMs = letter.finishedAtMs ?? letter.timestampMs;
    // What ended in the future ended now.
    const ageMs = Math.max(0, nowMs - endedMs);
    return (
      (reason === undefined || letter.reason === reason) &&
      (errorClass === undefined || letter.errorClass === errorClass) &&
      ageMs > olderMs &&
      ageMs < newerMs &&
      endedMs <= untilMs
    );
  };
}

/** Sees to it that nobody changes all dead letters by leaving something out. @throws NightporterError `usage` */
export function requireSelection(selection: DeadSelection, verb: 'retry' | 'purge'): void {
  const { ids = [], session, all, reason, errorClass, olderThan, newerThan, group, limit } = selection;
  readFilter(selection, selection.until, 0);
  const picks = [reason, errorClass, olderThan, newerThan].some((value) => value !== undefined);
  if (ids.length > 0) {
    if (session === undefined) {
      throw new NightporterError('usage', `ids belong to a session: write nightporter dead ${verb} group/session id`);
    }
    if (picks || all === true || group !== undefined || limit !== undefined) {
      throw new NightporterError('usage', 'ids say which ones by themselves: leave --all and the filters out');
    }
    return;
  }
  if (picks || all === true) return;
  const where = session === undefined ? '' : ` of ${session}`;
  throw new NightporterError(
    'usage',
    `no id and no --all: name the dead letters${where} by their ids, by --reason, --class, --older-than or --newer-than, or write --all for every one`,
  );
}
