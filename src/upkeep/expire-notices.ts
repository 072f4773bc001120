import type { NoticeKind } from '../ports/notices.js';
import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 5_000;
/** What happened once: nothing that could end, so that nothing else settles them. */
const EVENTS: ReadonlySet<NoticeKind> = new Set<NoticeKind>([
  ...(['stopped', 'not_claiming', 'replaced_corrupt_file', 'series_retired', 'duplicate_series'] as const),
]);

/** Drops notices of what happened long ago and did not happen again; the log has it. What is still so stays. */
export function expireNotices(keeper: Keeper): Job {
  return createJob({
    name: 'expire-notices',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => keeper.settings().gcIntervalMs,
    work: (pass) => expire(keeper, pass),
  });
}

async function expire(keeper: Keeper, pass: Pass): Promise<void> {
  const { registry } = keeper;
  const { noticeMaxAgeMs } = keeper.settings();
  if (noticeMaxAgeMs === 0 || !keeper.clockTrust.holds(pass)) return;
  for (const page of registry.noticesBefore(keeper.clock.now() - noticeMaxAgeMs)) {
    registry.together(() => {
      for (const { kind, session } of page) {
        if (!EVENTS.has(kind) || (session !== null && pass.foreseen.isDeleted(session))) continue;
        if (pass.dryRun || registry.settleNotice(kind, session)) {
          pass.did({ session, action: 'drop_notice', reason: 'old', path: null, bytes: 0, notice: kind });
        }
      }
    });
    if (pass.isStopping()) return;
    await keeper.supervision.turn();
  }
}
