import { splitAddress } from '../../protocol/address.js';
import type { GroupName, SessionAddress } from '../../protocol/address.js';

export interface RoomFacts {
  /** Sessions that may be woken and have no place yet. */
  readonly waiting: readonly {
    readonly session: SessionAddress;
    readonly group: GroupName;
    readonly dueSinceMs: number;
  }[];
  /** Sessions that have a place, for the fairness between groups. */
  readonly running: readonly SessionAddress[];
  /** Places taken: what runs, starts, or is not yet confirmed gone. */
  readonly occupied: number;
  /** Running ones without a claim and without due work. */
  readonly idle: readonly { readonly session: SessionAddress; readonly idleForMs: number }[];
  readonly limit: number;
}

export interface RoomPlan {
  readonly start: readonly SessionAddress[];
  /** Enough to make room for all that wait, those aside that are asked to leave already. */
  readonly yield: readonly SessionAddress[];
}

/**
 * Who gets the free places, and who has to give up its own. Each place goes to the group with the fewest places among
 * those that wait, a tie to the one whose message is due longest; within a group, oldest due first. Where sessions wait
 * without a place, idle containers yield, longest idle first, only as many as are needed.
 */
export function planRoom({ waiting, running, occupied, idle, limit }: RoomFacts): RoomPlan {
  const places = new Map<GroupName, number>();
  const placesOf = (group: GroupName): number => places.get(group) ?? 0;
  for (const session of running) {
    const { group } = splitAddress(session);
    places.set(group, placesOf(group) + 1);
  }
  const queue = [...waiting].sort((a, b) => a.dueSinceMs - b.dueSinceMs || compareText(a.session, b.session));
  const free = limit - occupied;
  const start: SessionAddress[] = [];
  while (start.length < free) {
    const next = queue.reduce<(typeof queue)[number] | undefined>(
      (best, one) => (best === undefined || placesOf(one.group) < placesOf(best.group) ? one : best),
      undefined,
    );
    if (next === undefined) break;
    queue.splice(queue.indexOf(next), 1);
    places.set(next.group, placesOf(next.group) + 1);
    start.push(next.session);
  }
  const longestIdle = [...idle].sort((a, b) => b.idleForMs - a.idleForMs || compareText(a.session, b.session));
  // Over the limit (it was lowered) more than one place has to be given up for a start.
  const needed = queue.length === 0 ? 0 : queue.length + Math.max(0, -free);
  return { start, yield: longestIdle.slice(0, needed).map(({ session }) => session) };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
