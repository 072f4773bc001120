import { expect, it } from 'vitest';
import type { ContainerId } from '../../../src/ports/runtime.js';
import type { ChannelKey, GroupName, ProviderSessionId, SessionAddress } from '../../../src/protocol/address.js';

const group = 'x' as GroupName;
const session = 'x/y' as SessionAddress;
const container = 'x' as ContainerId;
const provider = 'x' as ProviderSessionId;
const channel = 'x' as ChannelKey;

const takes = {
  group: (id: GroupName) => id,
  session: (id: SessionAddress) => id,
  container: (id: ContainerId) => id,
  provider: (id: ProviderSessionId) => id,
  channel: (id: ChannelKey) => id,
};

it('L7: an id of one kind is no id of another: each of these lines would not compile without its mark', () => {
  expect(takes.session(session)).toBe(session);
  // @ts-expect-error -- a group is no session
  takes.session(group);
  // @ts-expect-error -- a container is no session
  takes.session(container);
  // @ts-expect-error -- a provider's session is none of ours
  takes.session(provider);
  // @ts-expect-error -- a channel is no session
  takes.session(channel);
  // @ts-expect-error -- a text is no session until it was checked
  takes.session('x/y');
  // @ts-expect-error -- a session is no group
  takes.group(session);
  // @ts-expect-error -- a session is no container
  takes.container(session);
  // @ts-expect-error -- a provider's session is no container
  takes.container(provider);
  // @ts-expect-error -- a session is not that of a provider
  takes.provider(session);
  // @ts-expect-error -- a channel is not a provider's session
  takes.provider(channel);
  // @ts-expect-error -- a session is no channel
  takes.channel(session);
  // @ts-expect-error -- a group is no channel
  takes.channel(group);
});
