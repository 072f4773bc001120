import type { SessionAddress } from '../protocol/address.js';
import type { Clock } from '../ports/clock.js';
import type { NoticeKind, NoticeRecord } from '../ports/notices.js';
import type { Registry } from '../ports/registry.js';
import type { Logger } from './logs.js';

/**
 * Tells the operator: once per open matter in the registry, and in the log. Never throws: a registry that cannot be
 * written must not end the work that has something to tell. What it does not take is kept here until it does.
 */
export interface Notices {
  /** `session` null: of the whole install. */
  raise(kind: NoticeKind, session: SessionAddress | null, text: string): void;
  settle(kind: NoticeKind, session: SessionAddress | null): void;
  /** Open ones that the registry did not take yet: a full disk can be told of only so. */
  unrecorded(): readonly NoticeRecord[];
}

/** `raised` null: it is over. */
interface Matter {
  readonly kind: NoticeKind;
  readonly session: SessionAddress | null;
  readonly raised: NoticeRecord | null;
}

type Open = Pick<Registry, 'raise' | 'settleNotice'>;

export function createNotices(registry: Open, clock: Clock, log: Logger): Notices {
  const waiting = new Map<string, Matter>();

  const isRecorded = (key: string, matter: Matter): boolean => {
    try {
      recordOne(registry, matter, log);
      waiting.delete(key);
      return true;
    } catch (err) {
      const { kind: notice, session, raised } = matter;
      log.error({ err, notice, session, text: raised?.text }, 'notice could not be recorded');
      return false;
    }
  };

  /** What waited may have its turn once the registry takes something again. */
  const tell = (matter: Matter): void => {
    const key = keyOf(matter);
    waiting.set(key, matter);
    if (!isRecorded(key, matter)) return;
    for (const [other, waited] of waiting) isRecorded(other, waited);
  };

  return {
    raise(kind, session, text) {
      const before = waiting.get(keyOf({ kind, session }))?.raised;
      const nowMs = clock.now();
      const raised = {
        kind,
        session,
        text,
        atMs: before?.atMs ?? nowMs,
        lastAtMs: nowMs,
        count: (before?.count ?? 0) + 1,
      };
      tell({ kind, session, raised });
    },
    settle(kind, session) {
      tell({ kind, session, raised: null });
    },
    unrecorded: () => [...waiting.values()].flatMap(({ raised }) => (raised === null ? [] : [raised])),
  };
}

function recordOne(registry: Open, { kind, session, raised }: Matter, log: Logger): void {
  if (raised === null) {
    if (registry.settleNotice(kind, session)) log.info({ notice: kind, session }, 'notice settled');
  } else if (registry.raise(raised)) {
    log.warn({ notice: kind, session, text: raised.text }, 'notice');
  }
}

function keyOf({ kind, session }: Pick<Matter, 'kind' | 'session'>): string {
  return `${kind} ${session ?? ''}`;
}
