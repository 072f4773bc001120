import { createHash } from 'node:crypto';
import type { ChannelKey, GroupName, SessionAddress, SessionName } from '../protocol/address.js';
import { addressOf } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import type { SessionRecord } from '../ports/registry.js';
import type { ChannelEvent } from './api.js';
import type { Desk } from './desk.js';
import { quoted, requireName } from './input-texts.js';
import { explainRefusal, readMessage } from './send-message.js';
import type { RoutedView } from './views.js';

const CHANNEL_MAX_CHARS = 512;
const FACT_MAX_CHARS = 1_024;
/** Of the channel's hash: 2^64 values. */
const NAME_CHARS = 16;

/**
 * Something happened where a channel adapter listens. Only a message is work: it goes into the session that its conversation goes on in,
 * which is made for the first one (L1). Whatever else happens makes nothing, and says at most more of a session that is there (L2).
 * @throws NightporterError `usage`, `refused` (id known with other content, case twin)
 */
export function routeEvent(desk: Desk, event: ChannelEvent): RoutedView {
  const channel = requireChannel(event.channel);
  const group = requireName(event.group, 'group') as GroupName;
  const kind = requireName(event.event, 'event');
  const facts = requireFacts(event);
  return kind === 'message' ? routeMessage(desk, event, channel, group, facts) : note(desk, channel, facts);
}

interface ConversationFacts {
  readonly project: string | null;
  readonly title: string | null;
  readonly provider: string | null;
}

function note(desk: Desk, channel: ChannelKey, facts: ConversationFacts): RoutedView {
  const conversation = desk.registry.findConversation(channel);
  if (conversation === undefined) return { session: null, id: null, duplicate: false, made: null };
  fill(desk, conversation.session, facts);
  return { session: conversation.session, id: null, duplicate: false, made: null };
}

/** One commit: session, conversation and message, or none of them. */
function routeMessage(
  desk: Desk,
  event: ChannelEvent,
  channel: ChannelKey,
  group: GroupName,
  facts: ConversationFacts,
): RoutedView {
  const { registry } = desk;
  const nowMs = desk.clock.now();
  const routed = registry.together((): RoutedView => {
    const known = registry.findConversation(channel);
    const place = placeOf(desk, known === undefined ? undefined : registry.findSession(known.session), channel, group);
    if (place.made === 'reopened') registry.setStatus(place.session, 'active', nowMs, null);
    fill(desk, place.session, facts);
    registry.saveConversation(channel, place.session, nowMs);
    const { session, text, id, kind: messageKind, attachments } = { ...event, session: place.session };
    if (text === undefined) throw new NightporterError('usage', '"text" is missing: a message says something');
    const accepted = readMessage(desk, { session, text, id, kind: messageKind, attachments });
    const result = registry.accept(accepted);
    const refusal = explainRefusal(place.session, accepted.message.id, result);
    if (refusal !== undefined) throw new NightporterError('refused', refusal);
    return { session, id: accepted.message.id, duplicate: result.kind === 'duplicate', made: place.made };
  });
  if (routed.made !== null)
    desk.log.info({ session: routed.session, channel, made: routed.made }, 'conversation goes on');
  if (routed.session !== null) desk.rounds?.hint(routed.session as SessionAddress);
  return routed;
}

/** Its conversation's session. One that was collected is opened again; one that an operator closed stays closed, and a fresh one is made (L6). */
function placeOf(
  desk: Desk,
  record: SessionRecord | undefined,
  channel: ChannelKey,
  group: GroupName,
): { readonly session: SessionAddress; readonly made: RoutedView['made'] } {
  if (record !== undefined && record.status !== 'closed') return { session: record.address, made: null };
  if (record !== undefined && record.closeReason === 'idle') return { session: record.address, made: 'reopened' };
  return { session: freeAddress(desk, channel, group), made: 'created' };
}

/** A name that only this channel would get; what an operator made under it already is not taken over. */
function freeAddress(desk: Desk, channel: ChannelKey, group: GroupName): SessionAddress {
  const hash = createHash('sha256').update(channel).digest('hex').slice(0, NAME_CHARS);
  for (let number = 1; ; number += 1) {
    const address = addressOf(group, (number === 1 ? `c-${hash}` : `c-${hash}-${number}`) as SessionName);
    const isTaken =
      desk.registry.findSession(address) !== undefined || desk.registry.findCaseTwin(address) !== undefined;
    if (!isTaken) return address;
  }
}

/** Makes the session where there is none, and fills what is empty. */
function fill(desk: Desk, address: SessionAddress, facts: ConversationFacts): void {
  desk.registry.createSession({ address, createdAtMs: desk.clock.now(), image: null, command: null, ...facts });
}

function requireChannel(text: string): ChannelKey {
  if (text.length > 0 && text.length <= CHANNEL_MAX_CHARS) return text as ChannelKey;
  throw new NightporterError('usage', `"channel" takes 1 to ${CHANNEL_MAX_CHARS} characters, this has ${text.length}`);
}

function requireFacts({ project, title, provider }: ChannelEvent): ConversationFacts {
  return {
    project: requireFact('project', project),
    title: requireFact('title', title),
    provider: provider === undefined || provider === '' ? null : requireName(provider, 'provider'),
  };
}

function requireFact(name: string, text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (text.length <= FACT_MAX_CHARS) return text;
  throw new NightporterError(
    'usage',
    `${quoted(name)} takes ${FACT_MAX_CHARS} characters at most, this has ${text.length}`,
  );
}
