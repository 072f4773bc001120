import type { GcAction } from '../ports/upkeep.js';
import type { SessionAddress } from '../protocol/address.js';

/** What the earlier jobs of a dry run would have done: the later ones list what they would find then. */
export class Foreseen {
  readonly #ended = new Map<SessionAddress, string>();
  readonly #dropped = new Map<SessionAddress, string[]>();

  note({ session, action, provider }: GcAction): void {
    if (session === null) return;
    if (action === 'close' || action === 'delete') this.#ended.set(session, action);
    if (action === 'drop_resume_id') this.#dropped.set(session, [...this.droppedOf(session), String(provider)]);
  }

  isDeleted(session: SessionAddress): boolean {
    return this.#ended.get(session) === 'delete';
  }

  /** Closed or deleted. */
  isEnded(session: SessionAddress): boolean {
    return this.#ended.has(session);
  }

  /** Providers whose id would be dropped. */
  droppedOf(session: SessionAddress): readonly string[] {
    return this.#dropped.get(session) ?? [];
  }
}
