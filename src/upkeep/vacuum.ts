import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 60_000;
const HOUR_MS = 60 * 60_000;
const MONTH_MS = 30 * 24 * HOUR_MS;
/** L10 */
const FREE_SHARE = 0.25;
const FACT = 'vacuumed_at';

/** Gives back what the registry's file does not need any more, a bit at a time (L10). */
export function vacuum(keeper: Keeper): Job {
  return createJob({
    name: 'vacuum',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => HOUR_MS,
    work: (pass) => compact(keeper, pass),
  });
}

async function compact(keeper: Keeper, pass: Pass): Promise<void> {
  const { registry, clock } = keeper;
  const compaction = registry.compact();
  const before = compaction.facts();
  if (before.free <= before.pages * FREE_SHARE) return;
  const last = Number(registry.readFact(FACT) ?? 0);
  // One of the future is that of a clock that was wrong.
  const sinceMs = clock.now() - last;
  if (sinceMs >= 0 && sinceMs < MONTH_MS) {
    pass.kept('vacuumed_recently');
    return;
  }
  const bytes = Math.round((before.bytes * before.free) / before.pages);
  pass.did({ session: null, action: 'vacuum', reason: 'free_pages', path: registry.file, bytes });
  if (pass.dryRun) return;
  registry.writeFact(FACT, String(clock.now()));
  if (compaction.isIncremental) while (!pass.isStopping() && compaction.step()) await keeper.supervision.turn();
  else compaction.whole();
}
