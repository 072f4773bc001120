import { addressOf, isName } from '../../protocol/address.js';
import type { GroupName, SessionName } from '../../protocol/address.js';
import { parseInstant } from '../../protocol/times.js';
import { isZone } from '../../protocol/zones.js';
import type { ForeignGroup, ForeignSession, ImportedSession } from './foreign.js';
import { nameOf, withHash } from './names.js';

const TITLE_MAX_CHARS = 200;

/**
 * What the sessions of an installation are called here: `<folder of the group>/<id of the session>`. Names that do not fit,
 * and all but the first of those that differ only in case, get a hash of what they were. In the order of their ids.
 */
export function nameSessions(
  groups: readonly ForeignGroup[],
  sessions: readonly ForeignSession[],
  zone: string,
  nowMs: number,
): readonly ImportedSession[] {
  const groupsById = new Map(groups.map((group) => [group.id, group]));
  const groupNames = namesOfGroups(groups, sessions);
  const taken = new Set<string>();
  return [...sessions].sort(byId).map((session) => {
    const group = groupsById.get(session.group);
    const groupName = groupNames.get(session.group) ?? nameOf(session.group);
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

/** Case counts: the names of folders may not differ only in that. */
function namesOfGroups(
  groups: readonly ForeignGroup[],
  sessions: readonly ForeignSession[],
): ReadonlyMap<string, string> {
  const known = new Set(groups.map(({ id }) => id));
  const rowless = [...new Set(sessions.map(({ group }) => group))].filter((id) => !known.has(id));
  const all = [
    ...groups.map(({ id, folder }) => ({ id, text: folder ?? id })),
    ...rowless.map((id) => ({ id, text: id })),
  ];
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const { id, text } of all.sort(byId)) {
    const wanted = nameOf(text);
    const name = taken.has(wanted.toLowerCase()) ? withHash(text, id) : wanted;
    taken.add(name.toLowerCase());
    names.set(id, name);
  }
  return names;
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
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
