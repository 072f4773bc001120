import type { ForeignSession, ImportedSession } from '../../core/import/foreign.js';
import { findAddress } from '../../protocol/address.js';
import type { SessionAddress } from '../../protocol/address.js';
import type { Nanoclaw } from '../../ports/nanoclaw.js';
import type { Registry } from '../../ports/registry.js';
import type { FilesLook } from '../../ports/session-files.js';
import type { Desk } from '../desk.js';
import { requireRead, SessionLeft } from './session-left.js';

/** Why a session is closed whose files are about to be put in their place. */
const BEING_IMPORTED = 'being imported';
/** The address of that one; empty: there is none. */
const RESERVED = 'nanoclaw-importing';

/** Of an address: from where its session came. */
export function originFact(address: SessionAddress): string {
  return `nanoclaw:${address}`;
}

/** Of a session there, whatever its group is called by now: as what it was brought. */
function broughtFact({ group, id }: ForeignSession): string {
  return `nanoclaw-session:${JSON.stringify([group, id])}`;
}

/** As what a session was brought; undefined: it was not. */
export function findBrought(registry: Pick<Registry, 'readFact'>, session: ForeignSession): SessionAddress | undefined {
  const text = registry.readFact(broughtFact(session));
  return text === undefined ? undefined : findAddress(text)?.address;
}

/**
 * Takes the address, closed, before the files are in their place: from then on nothing is accepted for it, so that nobody writes between them and
 * no id that they have is accepted before all are known.
 * @throws SessionLeft: there is such a session by now
 */
export function reserveSession({ registry, clock }: Desk, session: ImportedSession): void {
  const { address, createdAtMs, provider, project, title } = session;
  const nowMs = clock.now();
  registry.together(() => {
    const inTheWay = registry.findSession(address)?.address ?? registry.findCaseTwin(address);
    if (inTheWay !== undefined) throw new SessionLeft(`a session ${inTheWay} was made meanwhile`);
    registry.createSession({ address, createdAtMs, provider, project, title, image: null, command: null });
    registry.setStatus(address, 'closed', nowMs, BEING_IMPORTED);
    registry.writeFact(RESERVED, address);
  });
}

/** What is in its file is not accepted once more under the same id. Page by page: nobody waits for all of a long history. */
export async function occupyIds({ registry }: Desk, nanoclaw: Nanoclaw, { address }: ImportedSession): Promise<void> {
  for (let after: number | null = Number.MIN_SAFE_INTEGER; after !== null;) {
    const page: Awaited<ReturnType<Nanoclaw['messageIds']>> = await nanoclaw.messageIds(address, after);
    const { rows, next } = requireRead(page);
    registry.together(() => {
      requireReserved(registry, address);
      registry.occupyMessageIds(address, rows);
    });
    after = next;
  }
}

/** What a look says of it, also of a closed one; due at once. From this commit on it is brought. */
export function registerSession(
  { registry, clock }: Desk,
  { address, from, status }: ImportedSession,
  mark: string,
  look: FilesLook | undefined,
): void {
  const nowMs = clock.now();
  registry.together(() => {
    requireReserved(registry, address);
    if (look !== undefined) {
      const { counts, signature, lastActiveMs, liveSeries, due } = look;
      const nextDueAtMs = due.oldestDueAtMs ?? due.nextDueAtMs;
      registry.recordLook(address, { counts, signature, lastActiveMs, liveSeries, nextDueAtMs });
    }
    registry.setStatus(address, status, nowMs, status === 'closed' ? 'imported as closed' : null);
    registry.lowerNextDue(address, nowMs);
    registry.writeFact(originFact(address), mark);
    registry.writeFact(broughtFact(from), address);
    registry.writeFact(RESERVED, '');
  });
}

/** Gives up the address of an import that ended before its session was brought. Its folder is left: the next one knows it by its mark. */
export function releaseReserved({ registry, clock }: Pick<Desk, 'registry' | 'clock'>): void {
  const address = findAddress(registry.readFact(RESERVED) ?? '')?.address;
  if (address === undefined) return;
  registry.together(() => {
    if (isReserved(registry, address)) {
      registry.deleteSession(address, clock.now());
      registry.forgetRemoval(address);
    }
    registry.writeFact(RESERVED, '');
  });
}

function requireReserved(registry: Registry, address: SessionAddress): void {
  if (!isReserved(registry, address)) throw new SessionLeft(`session ${address} was changed while it was brought`);
}

function isReserved(registry: Registry, address: SessionAddress): boolean {
  return registry.findSession(address)?.closeReason === BEING_IMPORTED;
}
