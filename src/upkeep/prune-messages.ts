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
    const { address } = record;
    await keeper.supervision.undisturbed(address, (container) => pruneOne(keeper, pass, address, container, nowMs));
  });
}

function mayHaveSome({ registry }: Keeper, record: SessionRecord): boolean {
  if (record.quarantine !== null) return false;
  if (registry.prunes(record.address).length > 0) return true;
  return !isExempt(record) && record.counts.completed + record.counts.failed + record.purged > 0;
}

/** L5: what was begun before is finished all the same. */
function isExempt({ pinned, status }: SessionRecord): boolean {
  return pinned || status === 'suspended';
}

const NONE: Pruned = { completed: [], failed: [] };

async function pruneOne(
  keeper: Keeper,
  pass: Pass,
  address: SessionAddress,
  container: ContainerPresence,
  nowMs: number,
): Promise<void> {
  const { registry, files } = keeper;
  const record = registry.findSession(address);
  if (record === undefined || record.quarantine !== null) return;
  const begun = registry.prunes(address);
  const outcome = isExempt(record)
    ? { kind: 'ok' as const, ...NONE }
    : await files.prunable(address, limitsOf(keeper, record, nowMs));
  if (outcome.kind !== 'ok') {
    pass.kept('files_unreadable');
    return;
  }
  const found = withoutReplays(keeper, address, outcome);
  if (found.completed.length + found.failed.length + begun.length === 0) return;
  if (container !== 'none') {
    pass.kept(container === 'unknown' ? 'runtime_unknown' : 'container');
    return;
  }
  const pruned = pass.dryRun ? found : await carryOut(keeper, address, found, begun);
  if (pruned === undefined) {
    pass.kept('files_unreadable');
    return;
  }
  const tell = (reason: string, count: number): void => {
    if (count === 0) return;
    const path = keeper.folderOf(address);
    pass.did({ session: address, action: 'prune_messages', reason, path, bytes: null, messages: count });
  };
  tell('completed', pruned.completed.length);
  tell('dead_letter', pruned.failed.length);
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

/**
 * Noted before and forgotten after: what a crash interrupts is finished by the next pass, as far as it is gone or is still
 * to go. What was deleted of what was found; undefined: not now.
 */
async function carryOut(
  keeper: Keeper,
  session: SessionAddress,
  found: Pruned,
  begun: readonly MessageId[],
): Promise<Pruned | undefined> {
  const { registry, files } = keeper;
  const states = begun.length === 0 ? undefined : await files.states(session, begun);
  if (states !== undefined && states.kind !== 'ok') return undefined;
  const there = new Set(states?.rows.map(({ id }) => id));
  const doomed = registry.together(() => {
    const record = registry.findSession(session);
    // It may have been pinned, or one of them been asked for, since they were looked for (L9).
    const still = record === undefined || isExempt(record) ? NONE : withoutReplays(keeper, session, found);
    registry.beginPrune(session, [...begun.filter((id) => !there.has(id)), ...still.completed, ...still.failed]);
    return still;
  });
  const ids = registry.prunes(session);
  if (ids.length === 0) return doomed;
  const outcome = await files.prune(session, ids);
  if (outcome.kind !== 'ok') return undefined;
  const { gone, completed, failed, hidden } = outcome;
  registry.endPrune(session, gone, { completed, failed, purged: hidden });
  if (failed === 0) keeper.notices.settle('dead_letter', session);
  return doomed;
}
