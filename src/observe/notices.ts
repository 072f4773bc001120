import type { SessionAddress } from '../protocol/address.js';
import type { Clock } from '../ports/clock.js';
import type { NoticeKind, Registry } from '../ports/registry.js';
import type { Logger } from './logs.js';

/** Tells the operator: once per open matter in the registry, and in the log. */
export interface Notices {
  /** `session` null: of the whole install. */
  raise(kind: NoticeKind, session: SessionAddress | null, text: string): void;
  settle(kind: NoticeKind, session: SessionAddress | null): void;
}

export function createNotices(registry: Registry, clock: Clock, log: Logger): Notices {
  return {
    raise(kind, session, text) {
      const isNew = registry.raise({ kind, session, text, atMs: clock.now() });
      if (isNew) log.warn({ notice: kind, session, text }, 'notice');
    },
    settle(kind, session) {
      if (registry.settleNotice(kind, session)) log.info({ notice: kind, session }, 'notice settled');
    },
  };
}
