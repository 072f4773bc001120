import { addressOf, isName } from '../../protocol/address.js';
import type { GroupName, SessionName } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import { isZone } from '../../protocol/zones.js';
import type { ForeignGroup, ForeignSession, ImportedSession } from './foreign.js';
import { nameOf, withHash } from './names.js';

const TITLE_MAX_CHARS = 200;

/**
 * What the sessions of an installation are called here: `<folder of the group>/<id of the session>`. Names that do not fit,
 * and all but the first of those that differ only in case, get a hash of what they were. By group and id.
 */
export function nameSessions(
  groups: readonly ForeignGroup[],
  sessions: readonly ForeignSession[],
  zone: string,
  nowMs: number,
): readonly ImportedSession[] {
  const groupsById = new Map(groups.map((group) => [group.id, group]));
  const groupNameOf = namer();
  const taken = new Set<string>();
  return [...sessions].sort(byGroupAndId).map((session) => {
    const group = groupsById.get(session.group);
    const groupName = groupNameOf(session.group, group?.folder ?? session.group);
    const wanted = nameOf(session.id);
    const isTwin = taken.has(`${groupName}/${wanted}`.toLowerCase());
    const name = isTwin ? withHash(session.id, session.id) : wanted;
    taken.add(`${groupName}/${name}`.toLowerCase());
    const original = `${group?.folder ?? session.group}/${session.id}`;
    const address = addressOf(groupName as GroupName, name as SessionName);
    return {
      address,
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

/** Names of groups by their ids, in the order in which they are asked for: folders may not differ only in case. */
function namer(): (id: string, text: string) => string {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  return (id, text) => {
    const known = names.get(id);
    if (known !== undefined) return known;
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
