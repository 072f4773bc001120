import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 5_000;

/** Drops conversations in which nothing was said for long (L6). Their sessions, and what was said, stay as they are. */
export function expireConversations(keeper: Keeper): Job {
  return createJob({
    name: 'expire-conversations',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => keeper.settings().gcIntervalMs,
    work: (pass) => expire(keeper, pass),
  });
}

async function expire(keeper: Keeper, pass: Pass): Promise<void> {
  const { registry } = keeper;
  const { conversationMaxAgeMs } = keeper.settings();
  if (conversationMaxAgeMs === 0 || !keeper.clockTrust.holds(pass)) return;
  const beforeMs = keeper.clock.now() - conversationMaxAgeMs;
  for (const page of registry.idleConversations(beforeMs)) {
    registry.together(() => {
      for (const { channel, session } of page) {
        if (pass.foreseen.isDeleted(session)) continue;
        const record = registry.findSession(session);
        if (record?.pinned === true || record?.status === 'suspended')
          pass.kept(record.pinned ? 'pinned' : 'suspended');
        else if (pass.dryRun || registry.dropConversation(channel, beforeMs)) {
          pass.did({ session, action: 'drop_conversation', reason: 'idle', path: null, bytes: 0, channel });
        }
      }
    });
    if (pass.isStopping()) return;
    await keeper.supervision.turn();
  }
}
