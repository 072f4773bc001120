import { NightporterError } from '../protocol/errors.js';
import type { ReplayRequest } from '../core/facts.js';
import type { SessionRecord } from '../ports/registry.js';
import type { DeadSelection } from './api.js';
import { requireSelection } from './dead-filter.js';
import type { Desk } from './desk.js';
import { findDead } from './find-dead.js';
import { quoted } from './input-texts.js';
import { requireDead } from './name-dead.js';
import { requireSession } from './require-session.js';
import type { RetriedLetterView, RetriedView } from './views.js';

/** Requests that go into one commit. */
const REQUESTS_PER_COMMIT = 500;

interface Batch {
  readonly record: SessionRecord;
  readonly requests: readonly ReplayRequest[];
}

/**
 * Has dead letters tried again, each as a new attempt with all its tries and its history. Once this returns they are
 * durably asked for; the next look at their session re-arms them.
 * @throws NightporterError `usage`, `not_found`, `refused` (not dead, about to be deleted, closed session), `failed` (files locked or damaged)
 */
export async function retryDead(desk: Desk, selection: DeadSelection): Promise<RetriedView> {
  requireSelection(selection, 'retry');
  const { ids = [], session, dryRun = false } = selection;
  const named = session === undefined ? undefined : requireSession(desk, session);
  if (named !== undefined) refuseClosed(named);
  if (ids.length > 0 && named !== undefined) {
    const requests = await requireDead(desk, named, ids);
    if (!dryRun) request(desk, [{ record: named, requests }], refuse);
    return { dryRun, retried: viewsOf(desk, { record: named, requests }), problems: [] };
  }

  const retried: RetriedLetterView[] = [];
  const problems: string[] = [];
  let batches: Batch[] = [];
  const carryOut = (): void => {
    const taken = dryRun ? batches : request(desk, batches, (why) => problems.push(why));
    retried.push(...taken.flatMap((batch) => viewsOf(desk, batch)));
    batches = [];
  };
  for await (const found of findDead(desk, selection)) {
    if ('problem' in found) problems.push(found.problem);
    else if (found.record.status === 'closed') problems.push(explainClosed(found.record));
    else batches.push({ record: found.record, requests: found.letters });
    if (count(batches) >= REQUESTS_PER_COMMIT) carryOut();
  }
  carryOut();
  return { dryRun, retried, problems };
}

/** What was taken. `refused` is told of each of the others; what it throws takes all of it back. */
function request(desk: Desk, batches: readonly Batch[], refused: (why: string) => void): readonly Batch[] {
  if (batches.length === 0) return [];
  const taken = desk.registry.together(() =>
    batches.map(({ record, requests }): Batch => {
      const { address } = record;
      const wanted = requests.map(({ id, attempt }) => ({ id, attempt }));
      const late = new Set(desk.registry.requestReplays(address, wanted, desk.clock.now()));
      for (const id of late)
        refused(`message ${quoted(id)} of ${address} is old enough to be deleted, and just being it`);
      return { record, requests: requests.filter(({ id }) => !late.has(id)) };
    }),
  );
  desk.log.info({ messages: count(taken), sessions: taken.length }, 'dead letters are to be tried again');
  for (const { record } of taken) desk.rounds?.hint(record.address);
  return taken;
}

function refuse(why: string): never {
  throw new NightporterError('refused', why);
}

function count(batches: readonly Batch[]): number {
  return batches.reduce((sum, { requests }) => sum + requests.length, 0);
}

function viewsOf(desk: Desk, { record, requests }: Batch): RetriedLetterView[] {
  const waits = waitOf(desk, record);
  return requests.map(({ id, attempt }) => ({ session: record.address, id, attempt: attempt + 1, waits }));
}

/** What keeps the session from being woken for it; null: nothing. */
function waitOf(desk: Desk, { quarantine, status, heldSinceMs }: SessionRecord): RetriedLetterView['waits'] {
  if (quarantine !== null) return 'quarantined';
  if (status === 'suspended') return 'suspended';
  if (heldSinceMs !== null) return 'held';
  if (desk.rounds === null) return 'no_daemon';
  return desk.rounds.state().draining ? 'draining' : null;
}

function refuseClosed(record: SessionRecord): void {
  if (record.status === 'closed') throw new NightporterError('refused', explainClosed(record));
}

function explainClosed({ address }: SessionRecord): string {
  return `session ${address} is closed, nothing of it is tried again: "nightporter session reopen ${address}" first`;
}
