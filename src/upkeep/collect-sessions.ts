import type { MessageCounts } from '../core/facts.js';
import { isMassLoss, judgeLife } from '../core/retention/session-life.js';
import type { LifeFacts, LifeVerdict } from '../core/retention/session-life.js';
import type { SessionRecord } from '../ports/registry.js';
import type { ContainerPresence } from '../ports/upkeep.js';
import type { SessionAddress } from '../protocol/address.js';
import { finishRemoval } from '../ports/finish-removal.js';
import type { Job, Pass } from './job.js';
import { createJob } from './job.js';
import type { Keeper } from './keeper.js';

const FIRST_AFTER_MS = 5_000;
const REMOVALS_IN_A_PASS = 10_000;
const SLICE = 500;

/** Deletes sessions that have been closed for long, closes those in which nothing happens any more (L3 to L5, L8). */
export function collectSessions(keeper: Keeper): Job {
  return createJob({
    name: 'collect-sessions',
    clock: keeper.clock,
    log: keeper.log,
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: () => keeper.settings().gcIntervalMs,
    work: (pass) => collect(keeper, pass),
  });
}

async function collect(keeper: Keeper, pass: Pass): Promise<void> {
  const nowMs = keeper.clock.now();
  keeper.clockTrust.decide(pass);
  if (!pass.dryRun) await finishRemovals(keeper, pass);
  const { shortest } = keeper.settings();
  // First what was closed before this pass, so that none is deleted in the pass that closes it.
  if (shortest.deleteAfterMs > 0 && keeper.clockTrust.holds(pass)) {
    await each(keeper, pass, keeper.registry.closedSince(nowMs - shortest.deleteAfterMs), nowMs);
  }
  if (shortest.closeAfterMs > 0) {
    await each(keeper, pass, keeper.registry.idleSince(nowMs - shortest.closeAfterMs), nowMs);
  }
  await closeWithoutFolder(keeper, pass, nowMs);
}

/** What a crash, or a folder that could not be deleted, left of an earlier pass. */
async function finishRemovals(keeper: Keeper, pass: Pass): Promise<void> {
  for (const session of keeper.registry.removals(REMOVALS_IN_A_PASS)) {
    if (pass.isStopping()) return;
    await keeper.supervision.undisturbed(session, () => removeFolder(keeper, session));
  }
}

async function removeFolder(keeper: Keeper, session: SessionAddress): Promise<void> {
  const trouble = await finishRemoval(keeper.registry, keeper.files, session).catch((err: unknown) => String(err));
  if (trouble === undefined) return;
  keeper.log.warn({ session, trouble }, 'the folder of a deleted session is not gone yet; it is tried again');
}

async function each(
  keeper: Keeper,
  pass: Pass,
  pages: Iterable<readonly SessionRecord[]>,
  nowMs: number,
): Promise<void> {
  for (const page of pages) {
    for (const record of page) {
      if (pass.isStopping()) return;
      await consider(keeper, pass, record, nowMs);
    }
    await keeper.supervision.turn();
  }
}

/** What the registry knows is enough to keep a session; to end one the runtime and the files are asked too (L7). */
async function consider(
  keeper: Keeper,
  pass: Pass,
  found: SessionRecord,
  nowMs: number,
  files: 'read' | 'gone' = 'read',
): Promise<void> {
  const { address } = found;
  const first = judge(keeper, found, { container: 'none', files, lastActiveMs: null }, nowMs);
  if (first.kind === 'keep') {
    pass.kept(first.reason);
    return;
  }
  try {
    await keeper.supervision.undisturbed(address, async (container) => {
      const asked = await ask(keeper, found, container, nowMs);
      // Whether that is one folder, or a disk that is not there, is told from all of them.
      if (asked.files === 'gone' && files !== 'gone') return;
      await end(keeper, pass, address, asked, nowMs);
    });
  } catch (err) {
    pass.kept('failed');
    keeper.log.error({ err, session: address }, 'session could not be collected; it is kept');
  }
}

type Asked = Pick<LifeFacts, 'container' | 'files' | 'lastActiveMs'> & {
  readonly counts?: MessageCounts;
  readonly liveSeries?: number;
};

/** Of the runtime and the session's files; what a closed session has in its files does not matter any more. */
async function ask(keeper: Keeper, record: SessionRecord, container: ContainerPresence, nowMs: number): Promise<Asked> {
  if (record.status === 'closed') return { container, files: 'read', lastActiveMs: null };
  const look = await keeper.files.look(record.address, { nowMs, lane: 'slow' });
  switch (look.kind) {
    case 'ok':
      return {
        container,
        files: 'read',
        lastActiveMs: look.lastActiveMs,
        counts: look.counts,
        liveSeries: look.liveSeries,
      };
    case 'missing':
      return { container, files: record.signature === null ? 'unmade' : 'gone', lastActiveMs: null };
    default:
      return { container, files: 'unreadable', lastActiveMs: null };
  }
}

function judge(keeper: Keeper, record: SessionRecord, asked: Asked, nowMs: number): LifeVerdict {
  const facts: LifeFacts = {
    status: record.status,
    pinned: record.pinned,
    quarantined: record.quarantine !== null,
    createdAtMs: record.createdAtMs,
    closedAtMs: record.closedAtMs,
    container: asked.container,
    files: asked.files,
    lastActiveMs: newest(record.lastActiveMs, asked.lastActiveMs),
    counts: {
      // The files know better than what the last look counted.
      ...(asked.counts ?? record.counts),
      spooled: record.spooled + keeper.registry.replays(record.address).length,
    },
    liveSeries: Math.max(record.liveSeries, asked.liveSeries ?? 0),
  };
  return judgeLife(facts, keeper.retention(record), nowMs);
}

/** The verdict is made once more in the transaction that carries it out (L9). */
async function end(keeper: Keeper, pass: Pass, address: SessionAddress, asked: Asked, nowMs: number): Promise<void> {
  const { registry } = keeper;
  const before = registry.findSession(address);
  if (before === undefined) return;
  const planned = judge(keeper, before, asked, nowMs);
  const bytes = planned.kind === 'delete' ? await sizeOf(keeper, address) : 0;
  const verdict = registry.together((): LifeVerdict => {
    const record = registry.findSession(address);
    if (record === undefined) return { kind: 'keep', reason: 'recent' };
    const final = judge(keeper, record, asked, nowMs);
    if (final.kind !== planned.kind) return final.kind === 'keep' ? final : { kind: 'keep', reason: 'recent' };
    if (!pass.dryRun && final.kind === 'close') registry.setStatus(address, 'closed', nowMs, final.reason);
    if (!pass.dryRun && final.kind === 'delete') registry.deleteSession(address, nowMs);
    return final;
  });
  if (verdict.kind === 'keep') {
    pass.kept(verdict.reason);
    tellKept(keeper, address, verdict.reason);
    return;
  }
  const path = keeper.folderOf(address);
  pass.did({ session: address, action: verdict.kind, reason: verdict.reason, path, bytes });
  if (pass.dryRun) return;
  keeper.log.info({ session: address, action: verdict.kind, reason: verdict.reason }, 'session collected');
  if (verdict.kind === 'delete') await removeFolder(keeper, address);
  else if (verdict.reason === 'folder_missing') tellMissing(keeper, address, before);
}

function tellKept(keeper: Keeper, session: SessionAddress, reason: string): void {
  if (reason !== 'runtime_unknown' && reason !== 'files_unreadable') return;
  keeper.log.warn({ session, reason }, 'cannot be told whether the session is still active: it is kept');
}

function tellMissing(keeper: Keeper, session: SessionAddress, { counts }: SessionRecord): void {
  const waiting = counts.pending + counts.processing + counts.paused;
  const lost = waiting > 0 ? `, with ${String(waiting)} messages that were not finished` : '';
  keeper.notices.raise(
    'folder_missing',
    session,
    `the folder of ${session} is gone (${keeper.folderOf(session)})${lost}: the session is closed. Put the folder back from a backup and "nightporter session reopen ${session}", or leave it`,
  );
}

async function sizeOf(keeper: Keeper, session: SessionAddress): Promise<number | null> {
  const outcome = await keeper.files.measure(session);
  return outcome.kind === 'ok' ? outcome.bytes : outcome.kind === 'missing' ? 0 : null;
}

/** Rows whose folder somebody took away (L8), whatever their age. */
async function closeWithoutFolder(keeper: Keeper, pass: Pass, nowMs: number): Promise<void> {
  const { registry, files } = keeper;
  const gone: SessionAddress[] = [];
  let sessions = 0;
  let after: SessionAddress | undefined;
  for (;;) {
    const page = registry.slice(after, SLICE);
    after = page.at(-1)?.session;
    if (after === undefined || pass.isStopping()) break;
    const slice = page.filter(({ session }) => !pass.foreseen.isEnded(session));
    sessions += slice.length;
    const signatures = await files.signatures(slice.map(({ session }) => session));
    for (const [index, { session, signature }] of slice.entries()) {
      if (signature !== null && signatures[index] === null) gone.push(session);
    }
    await keeper.supervision.turn();
  }
  const isMass = isMassLoss(gone.length, sessions);
  if (!pass.dryRun) tellMassLoss(keeper, isMass, gone.length, sessions);
  if (isMass) return;
  for (const session of gone) {
    const record = registry.findSession(session);
    if (record !== undefined && !pass.isStopping()) await consider(keeper, pass, record, nowMs, 'gone');
  }
}

function tellMassLoss({ notices }: Keeper, isMass: boolean, gone: number, sessions: number): void {
  if (isMass) {
    notices.raise(
      'folder_missing',
      null,
      `the folders of ${String(gone)} of ${String(sessions)} sessions are gone at once: nothing is closed for that; check that the disk below the data dir's sessions/ is mounted`,
    );
  } else notices.settle('folder_missing', null);
}

function newest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
