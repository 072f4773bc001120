import type { SessionRecord } from '../ports/registry.js';
import type { Pruned, PruneLimits } from '../ports/session-files.js';
import type { ContainerPresence } from '../ports/upkeep.js';
import type { MessageId, SessionAddress } from '../protocol/address.js';
import { eachSession } from './each-session.js';
import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 30_000;
const DAY_MS = 24 * 60 * 60_000;
/** Of one session in one pass: a file worker takes some hundred milliseconds for them. */
const MOST = 10_000;

/** Deletes messages that ended long ago, dead letters too, with all that speaks of them (L22, L26). */
export function pruneMessages(keeper: Keeper): Job {
  return createJob({
    name: 'prune-messages',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => keeper.clockTrust.pauseMs(DAY_MS),
    work: (pass) => prune(keeper, pass),
  });
}

async function prune(keeper: Keeper, pass: Pass): Promise<void> {
  if (!keeper.clockTrust.holds(pass)) return;
  const nowMs = keeper.clock.now();
  await eachSession(keeper, pass, 'messages', async (record) => {
    if (!mayHaveSome(keeper, record)) return;
    await keeper.supervision.undisturbed(record.address, (container) =>
      pruneOne(keeper, pass, record, container, nowMs),
    );
  });
}

/** L5: pinned and suspended sessions are left alone. */
function mayHaveSome({ registry }: Keeper, { address, pinned, status, quarantine, counts, purged }: SessionRecord) {
  if (pinned || status === 'suspended' || quarantine !== null) return false;
  return counts.completed + counts.failed + purged > 0 || registry.prunes(address).length > 0;
}

async function pruneOne(
  keeper: Keeper,
  pass: Pass,
  record: SessionRecord,
  container: ContainerPresence,
  nowMs: number,
): Promise<void> {
  const { registry, files } = keeper;
  const { address } = record;
  const limits = limitsOf(keeper, record, nowMs);
  const outcome = await files.prunable(address, limits);
  if (outcome.kind !== 'ok') {
    pass.kept('files_unreadable');
    return;
  }
  const left = registry.prunes(address);
  const found = withoutReplays(keeper, address, outcome);
  const ids = [...found.completed, ...found.failed];
  if (ids.length + left.length === 0) return;
  if (container !== 'none') {
    pass.kept(container === 'unknown' ? 'runtime_unknown' : 'container');
    return;
  }
  if (!pass.dryRun && !(await carryOut(keeper, address, [...left, ...ids]))) {
    pass.kept('files_unreadable');
    return;
  }
  const tell = (reason: string, count: number): void => {
    if (count === 0) return;
    const path = keeper.folderOf(address);
    pass.did({ session: address, action: 'prune_messages', reason, path, bytes: null, messages: count });
  };
  tell('completed', found.completed.length);
  tell('dead_letter', found.failed.length);
}

function limitsOf(keeper: Keeper, record: SessionRecord, nowMs: number): PruneLimits {
  const { completedMs, deadLettersMs } = keeper.retention(record);
  return {
    completedBeforeMs: completedMs === 0 ? null : nowMs - completedMs,
    failedBeforeMs: deadLettersMs === 0 ? null : nowMs - deadLettersMs,
    purgedBeforeMs: nowMs - DAY_MS,
    most: MOST,
  };
}

function withoutReplays({ registry }: Keeper, session: SessionAddress, found: Pruned): Pruned {
  const wanted = new Set(registry.replays(session).map(({ id }) => id));
  return { completed: found.completed, failed: found.failed.filter((id) => !wanted.has(id)) };
}

/** Noted before and forgotten after: what a crash interrupts is finished by the next pass. False: not now. */
async function carryOut(keeper: Keeper, session: SessionAddress, ids: readonly MessageId[]): Promise<boolean> {
  const { registry, files } = keeper;
  registry.beginPrune(session, ids);
  const outcome = await files.prune(session, ids);
  if (outcome.kind !== 'ok') return false;
  const { gone, completed, failed, hidden } = outcome;
  registry.endPrune(session, gone, { completed, failed, purged: hidden });
  if (failed === 0) keeper.notices.settle('dead_letter', session);
  return true;
}
