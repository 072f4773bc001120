/** Branded identifiers: a group is not a session, a session is not a container. */
declare const brand: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

export type GroupName = Branded<string, 'GroupName'>;
export type SessionName = Branded<string, 'SessionName'>;
/** `group/session`: what people type, what logs show. */
export type SessionAddress = Branded<string, 'SessionAddress'>;
export type MessageId = Branded<string, 'MessageId'>;
/** Where a conversation takes place, as a channel names it: `telegram:1234:7`. Not a session: a session goes on with it. */
export type ChannelKey = Branded<string, 'ChannelKey'>;
/** A session of a provider's, such as Claude's: what a turn is resumed with. */
export type ProviderSessionId = Branded<string, 'ProviderSessionId'>;
/** Number of one run of one session's container; only grows. */
export type Epoch = Branded<number, 'Epoch'>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** A name of a group, session or message: 1 to 128 of `A-Z a-z 0-9 _ . -`, first a letter or digit, no `..`. */
export function isName(text: string): boolean {
  return NAME.test(text) && !text.includes('..');
}

export const NAME_RULE = '1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit, without ".."';

export interface AddressParts {
  readonly address: SessionAddress;
  readonly group: GroupName;
  readonly session: SessionName;
}

/** Parses `group/session`; undefined when it is not one. */
export function findAddress(text: string): AddressParts | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const group = text.slice(0, slash);
  const session = text.slice(slash + 1);
  if (!isName(group) || !isName(session)) return undefined;
  return { address: text as SessionAddress, group: group as GroupName, session: session as SessionName };
}

/** Splits an address that was validated before. */
export function splitAddress(address: SessionAddress): AddressParts {
  const parts = findAddress(address);
  if (parts === undefined) throw new Error(`not a session address: ${JSON.stringify(address)}`);
  return parts;
}

export function addressOf(group: GroupName, session: SessionName): SessionAddress {
  return `${group}/${session}` as SessionAddress;
}

export function epochOf(value: number): Epoch {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`not an epoch: ${String(value)}`);
  return value as Epoch;
}
