import { isExpired, NO_NOTES } from '../protocol/runner-notes.js';
import type { ProviderSessionRecord } from '../ports/registry.js';
import type { ContainerPresence } from '../ports/upkeep.js';
import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 5_000;
const HOUR_MS = 60 * 60_000;

/**
 * Drops the session ids of providers that were not used for long (L12), so that no call is spent on them: from the session's
 * file first and then, as they were found, from the registry. A wake does the same for its own session.
 */
export function expireResumeIds(keeper: Keeper): Job {
  return createJob({
    name: 'expire-resume-ids',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => HOUR_MS,
    work: (pass) => expire(keeper, pass),
  });
}

async function expire(keeper: Keeper, pass: Pass): Promise<void> {
  if (!keeper.clockTrust.holds(pass)) return;
  const nowMs = keeper.clock.now();
  const { resumeIdsMs } = keeper.settings().shortest;
  // Ids that do not say when they were used are too old whatever the age.
  const beforeMs = resumeIdsMs === 0 ? 1 : nowMs - resumeIdsMs;
  for (const page of keeper.registry.unusedSince(beforeMs)) {
    for (const record of page) {
      if (pass.isStopping()) return;
      await expireOne(keeper, pass, record, nowMs);
    }
    await keeper.supervision.turn();
  }
}

async function expireOne(keeper: Keeper, pass: Pass, found: ProviderSessionRecord, nowMs: number): Promise<void> {
  const session = keeper.registry.findSession(found.session);
  if (pass.foreseen.isDeleted(found.session)) return;
  if (session === undefined || !isExpired(found, keeper.retention(session).resumeIdsMs, nowMs)) return;
  if (session.quarantine !== null) {
    pass.kept('quarantined');
    return;
  }
  try {
    await keeper.supervision.undisturbed(found.session, (container) =>
      expireUndisturbed(keeper, pass, found, container, nowMs),
    );
  } catch (err) {
    pass.kept('failed');
    keeper.log.error({ err, session: found.session }, 'a resume id could not be dropped; it is tried again');
  }
}

async function expireUndisturbed(
  keeper: Keeper,
  pass: Pass,
  found: ProviderSessionRecord,
  container: ContainerPresence,
  nowMs: number,
): Promise<void> {
  const { registry, files } = keeper;
  const session = registry.findSession(found.session);
  if (session === undefined) return;
  // What runs drops its id by itself (NIGHTPORTER_MAX_SESSION_AGE_MS), and may just be using it.
  if (container !== 'none') {
    pass.kept(container === 'unknown' ? 'runtime_unknown' : 'container');
    return;
  }
  const maxAgeMs = keeper.retention(session).resumeIdsMs;
  if (!pass.dryRun) {
    const outcome = await files.expireResumeIds(found.session, maxAgeMs, nowMs);
    if (outcome.kind !== 'ok' && outcome.kind !== 'missing') {
      pass.kept('files_unreadable');
      return;
    }
    const notes = outcome.kind === 'ok' ? outcome.notes : NO_NOTES;
    registry.noteRunner(found.session, notes, nowMs);
    // Used meanwhile, with the same id or another one.
    if (registry.providerSessions(found.session).some(({ provider }) => provider === found.provider)) {
      pass.kept('recent');
      return;
    }
  }
  const { session: address, provider } = found;
  pass.did({ session: address, action: 'drop_resume_id', reason: 'expired', path: null, bytes: 0, provider });
}
