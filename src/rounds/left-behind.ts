import type { Registry } from '../ports/registry.js';
import type { SessionAddress } from '../protocol/address.js';

/** Sessions with claims or containers of before this process, until a look has told what became of them. */
export class LeftBehind {
  readonly #registry: Pick<Registry, 'leftBehind'>;
  #sessions: Set<SessionAddress> | undefined;

  constructor(registry: Pick<Registry, 'leftBehind'>) {
    this.#registry = registry;
  }

  /** To be called once before anything is started: what this process starts is its own. */
  load(): void {
    this.#sessions ??= new Set(this.#registry.leftBehind());
  }

  has(session: SessionAddress): boolean {
    return this.#sessions?.has(session) ?? false;
  }

  settled(session: SessionAddress): void {
    this.#sessions?.delete(session);
  }
}
