import type { SessionAddress } from '../protocol/address.js';
import type { Clock } from '../ports/clock.js';
import type { NoticeKind, Registry } from '../ports/registry.js';
import type { Logger } from './logs.js';

/**
 * Tells the operator: once per open matter in the registry, and in the log. Never throws: a registry that cannot be
 * written must not end the work that has something to tell.
 */
export interface Notices {
  /** `session` null: of the whole install. False: it could only be logged. */
  raise(kind: NoticeKind, session: SessionAddress | null, text: string): boolean;
  /** False: it could not be. */
  settle(kind: NoticeKind, session: SessionAddress | null): boolean;
}

export function createNotices(registry: Registry, clock: Clock, log: Logger): Notices {
  return {
    raise(kind, session, text) {
      try {
        const isNew = registry.raise({ kind, session, text, atMs: clock.now() });
        if (isNew) log.warn({ notice: kind, session, text }, 'notice');
        return true;
      } catch (err) {
        log.error({ err, notice: kind, session, text }, 'notice could not be recorded');
        return false;
      }
    },
    settle(kind, session) {
      try {
        if (registry.settleNotice(kind, session)) log.info({ notice: kind, session }, 'notice settled');
        return true;
      } catch (err) {
        log.error({ err, notice: kind, session }, 'notice could not be settled');
        return false;
      }
    },
  };
}
