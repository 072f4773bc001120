import { addressOf, isName, splitAddress } from '../../protocol/address.js';
import type { GroupName, SessionAddress, SessionName } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import { isZone } from '../../protocol/zones.js';
import type { ForeignGroup, ForeignSession, ImportedSession } from './foreign.js';
import { nameOf, withHash } from './names.js';

const TITLE_MAX_CHARS = 200;

/** What sessions are called that were brought before. */
export type KnownSessions = ReadonlyMap<ForeignSession, SessionAddress>;

/**
 * What the sessions of an installation are called here: `<folder of the group>/<id of the session>`. Names that do not fit,
 * and all but the first of those that differ only in case, get a hash of what they were. What was brought before keeps its name, and its
 * group too, whatever they are called there by now. By group and id.
 */
export function nameSessions(
  groups: readonly ForeignGroup[],
  sessions: readonly ForeignSession[],
  { zone, nowMs, known }: { readonly zone: string; readonly nowMs: number; readonly known: KnownSessions },
): readonly ImportedSession[] {
  const groupsById = new Map(groups.map((group) => [group.id, group]));
  const inOrder = [...sessions].sort(byGroupAndId);
  const groupNameOf = namer(namesOfKnown(inOrder, known));
  const taken = new Set([...known.values()].map((address) => address.toLowerCase()));
  return inOrder.map((session) => {
    const group = groupsById.get(session.group);
    const original = `${group?.folder ?? session.group}/${session.id}`;
    const knownAs = known.get(session);
    const address = knownAs ?? nameNew(session, groupNameOf(session.group, group?.folder ?? session.group), taken);
    return {
      address,
      isKnown: knownAs !== undefined,
      from: session,
      status: session.status === null || session.status === 'active' ? 'active' : 'closed',
      provider: providerOf(session, group),
      project: cut(group?.name),
      title: cut([session.title, session.thread].filter((part) => part !== null).join(' ')),
      createdAtMs: Math.min(nowMs, instantOr(session.createdAt, nowMs)),
      zone: group?.zone !== undefined && group.zone !== null && isZone(group.zone) ? group.zone : zone,
      renamedFrom: address === original ? null : original,
    };
  });
}

function nameNew(session: ForeignSession, group: string, taken: Set<string>): SessionAddress {
  const wanted = nameOf(session.id);
  const isTwin = taken.has(`${group}/${wanted}`.toLowerCase());
  const name = isTwin ? withHash(session.id, session.id) : wanted;
  taken.add(`${group}/${name}`.toLowerCase());
  return addressOf(group as GroupName, name as SessionName);
}

function namesOfKnown(sessions: readonly ForeignSession[], known: KnownSessions): Map<string, string> {
  const names = new Map<string, string>();
  for (const session of sessions) {
    const address = known.get(session);
    if (address !== undefined && !names.has(session.group)) names.set(session.group, splitAddress(address).group);
  }
  return names;
}

/** Names of groups by their ids, in the order in which they are asked for: folders may not differ only in case. */
function namer(names: Map<string, string>): (id: string, text: string) => string {
  const taken = new Set([...names.values()].map((name) => name.toLowerCase()));
  return (id, text) => {
    const before = names.get(id);
    if (before !== undefined) return before;
    const wanted = nameOf(text);
    const name = taken.has(wanted.toLowerCase()) ? withHash(text, id) : wanted;
    taken.add(name.toLowerCase());
    names.set(id, name);
    return name;
  };
}

function byGroupAndId(one: ForeignSession, other: ForeignSession): number {
  if (one.group !== other.group) return one.group < other.group ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}

function providerOf(session: ForeignSession, group: ForeignGroup | undefined): string | null {
  const provider = session.provider ?? group?.provider ?? null;
  return provider !== null && isName(provider) ? provider : null;
}

function cut(text: string | null | undefined): string | null {
  const short = (text ?? '').slice(0, TITLE_MAX_CHARS);
  return short === '' ? null : short;
}

function instantOr(text: string | null, otherwiseMs: number): number {
  return (text === null ? undefined : parseInstant(text)) ?? otherwiseMs;
}
