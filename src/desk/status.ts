import type { NoticeRecord } from '../ports/notices.js';
import type { RegistryTotals, SessionRecord } from '../ports/registry.js';
import type { Container } from '../ports/runtime.js';
import type { RoundsState } from '../ports/rounds.js';
import { formatInstant } from '../protocol/times.js';
import type { Desk } from './desk.js';
import { readLastSweep, readRuntimeKind } from './facts.js';
import { viewOfLastSweep } from './sweep.js';
import type { NoticeView, StatusView } from './views.js';

const NOTICES_SHOWN = 100;
/** Most sessions whose files are read to bring the counts up to date. */
const LOOKS_MAX = 200;
const LOOKS_AT_ONCE = 8;
/** How long a runtime is waited for when no daemon answers for it. */
const RUNTIME_PATIENCE_MS = 2_000;
const SESSIONS_PER_TURN = 500;

/** How things stand; reads only. Counts of what runs or has unfinished work are read from the files. */
export async function status(desk: Desk): Promise<StatusView> {
  const state = desk.rounds?.state();
  const totals = desk.registry.totals();
  const { active, suspended, closed, held, quarantined } = totals.sessions;
  const containers = state === undefined ? await containersOrUndefined(desk) : undefined;
  const lastSweep = state === undefined ? readLastSweep(desk.registry) : state.lastSweep;
  return {
    runtime: viewOfRuntime(desk, state, containers !== undefined),
    sessions: { active, suspended, closed, held, quarantined, total: active + suspended + closed },
    messages: await refreshed(desk, totals.messages, state),
    containers: { running: state?.running.length ?? countRunning(desk, containers) },
    waiting: state?.waiting ?? 0,
    draining: state?.draining ?? false,
    lastSweep: lastSweep === null ? null : viewOfLastSweep(lastSweep),
    notices: openNotices(desk, state).map(viewOfNotice),
    daemon: { running: state !== undefined, pid: state === undefined ? null : process.pid },
  };
}

/** Those first that only the daemon knows of, because the registry could not be written. */
function openNotices({ registry }: Desk, state: RoundsState | undefined): readonly NoticeRecord[] {
  const unrecorded = state?.unrecordedNotices ?? [];
  const isKnown = ({ kind, session }: NoticeRecord): boolean =>
    unrecorded.some((notice) => notice.kind === kind && notice.session === session);
  return [...unrecorded, ...registry.openNotices(NOTICES_SHOWN).filter((notice) => !isKnown(notice))];
}

function viewOfRuntime(desk: Desk, state: RoundsState | undefined, answers: boolean): StatusView['runtime'] {
  if (state !== undefined) {
    const { kind, state: reachable, description } = state.runtime;
    return { kind, state: reachable, description };
  }
  const kind = readRuntimeKind(desk.registry);
  if (kind === null) return { kind, state: 'unknown', description: 'decided at the first start' };
  if (desk.runtime === null) return { kind, state: 'unknown', description: 'not asked: no daemon runs' };
  return answers
    ? { kind, state: 'up', description: `${kind} answers; no daemon runs` }
    : { kind, state: 'down', description: `${kind} does not answer` };
}

function countRunning(desk: Desk, containers: readonly Container[] | undefined): number {
  if (containers !== undefined) return containers.filter(({ state }) => state === 'running').length;
  return desk.registry.openIncarnations().filter(({ startedAtMs }) => startedAtMs !== null).length;
}

/** undefined: the runtime does not answer in time, or cannot be asked. */
async function containersOrUndefined(desk: Desk): Promise<readonly Container[] | undefined> {
  if (desk.runtime === null) return undefined;
  let cancel = (): void => undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    cancel = desk.clock.after(RUNTIME_PATIENCE_MS, () => {
      resolve(undefined);
    });
  });
  const listed = desk.runtime.list().catch((error: unknown) => {
    desk.log.debug({ err: error }, 'runtime does not answer');
    return undefined;
  });
  try {
    return await Promise.race([listed, tooLate]);
  } finally {
    cancel();
  }
}

/** The registry's counts are those of the last look: those of sessions that may have moved on since are read anew. */
async function refreshed(
  desk: Desk,
  known: RegistryTotals['messages'],
  state: RoundsState | undefined,
): Promise<StatusView['messages']> {
  const records = state === undefined ? await unfinished(desk) : runningRecords(desk, state);
  const totals = { ...known };
  const nowMs = desk.clock.now();
  for (let at = 0; at < records.length; at += LOOKS_AT_ONCE) {
    const looks = records.slice(at, at + LOOKS_AT_ONCE).map(async (record) => {
      const outcome = await desk.files.look(record.address, { nowMs, lane: 'normal' });
      if (outcome.kind !== 'ok') return;
      for (const name of ['pending', 'processing', 'completed', 'failed', 'paused'] as const) {
        totals[name] += outcome.counts[name] - record.counts[name];
      }
    });
    await Promise.all(looks);
  }
  return totals;
}

function runningRecords(desk: Desk, state: RoundsState): readonly SessionRecord[] {
  return state.running
    .slice(0, LOOKS_MAX)
    .map(({ session }) => desk.registry.findSession(session))
    .filter((record) => record !== undefined)
    .filter(({ quarantine }) => quarantine === null);
}

async function unfinished(desk: Desk): Promise<readonly SessionRecord[]> {
  const found: SessionRecord[] = [];
  let passed = 0;
  for (const record of desk.registry.eachSession()) {
    const { pending, processing } = record.counts;
    if (pending + processing > 0 && record.quarantine === null) found.push(record);
    if (found.length >= LOOKS_MAX) break;
    passed += 1;
    if (passed % SESSIONS_PER_TURN === 0) await new Promise(setImmediate);
  }
  return found;
}

function viewOfNotice(notice: NoticeRecord): NoticeView {
  return {
    kind: notice.kind,
    session: notice.session,
    text: notice.text,
    count: notice.count,
    since: formatInstant(notice.atMs),
    last: formatInstant(notice.lastAtMs),
  };
}
