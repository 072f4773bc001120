import { planRoom } from '../core/plan/room.js';
import { planSession } from '../core/plan/plan-session.js';
import { isChange } from '../core/action.js';
import type { FilesObservation } from '../core/observation.js';
import type { SessionRecord } from '../ports/registry.js';
import type { SweepAction, SweepReport } from '../ports/rounds.js';
import type { Container } from '../ports/runtime.js';
import type { SessionAddress } from '../protocol/address.js';
import { NO_NOTES } from '../protocol/runner-notes.js';
import { containerName } from './container-spec.js';
import { describeAction } from './describe.js';
import { containerFacts, filesObservation, sessionObservation, withSpooled } from './observe.js';
import { isUp } from './fleet.js';
import type { Supervised } from './fleet.js';
import type { Porter } from './porter.js';
import { planContainers } from './reconcile.js';
import type { Waiting } from './room.js';

/** Prints what a round would do first, and changes nothing: no spool moved, no file opened for writing. */
export async function dryRun(porter: Porter, options: { readonly everySession: boolean }): Promise<SweepReport> {
  const { clock, registry } = porter;
  const startedAtMs = clock.now();
  const startedMonotonicMs = clock.monotonic();
  const actions: SweepAction[] = [];
  const answer = await porter.gate.call((runtime) => runtime.list());
  const containers = answer?.value;
  if (containers !== undefined) actions.push(...planContainers(porter, containers).map(({ action }) => action));
  const byName = new Map((containers ?? []).map((container) => [container.name, container]));
  const waiting: Waiting[] = [];
  let swept = 0;
  let errors = 0;
  for (const record of registry.eachSession()) {
    if (record.status === 'closed' || !options.everySession) continue;
    swept += 1;
    const name = containerName(porter.specs.install, record.address);
    const found = containers === undefined ? ('unknown' as const) : (byName.get(name) ?? null);
    const planned = await planOne(porter, record, found);
    if (planned === 'unreadable') {
      errors += 1;
      continue;
    }
    for (const action of planned.actions) {
      if (action.kind === 'wake') {
        const { dueSinceMs, reason } = action;
        waiting.push({
          session: record.address,
          group: record.group,
          dueSinceMs,
          reason,
          absentSinceMonotonicMs: null,
        });
      } else if (isChange(action)) actions.push(describeAction(record.address, action));
    }
    if (planned.spooled > 0) {
      actions.push({ session: record.address, action: 'deliver', reason: 'spooled', messages: planned.spooled });
    }
  }
  actions.push(...wakes(porter, waiting, containers ?? []));
  return {
    startedAtMs,
    durationMs: clock.monotonic() - startedMonotonicMs,
    swept,
    skipped: 0,
    errors,
    actions,
  };
}

async function planOne(porter: Porter, record: SessionRecord, found: Container | null | 'unknown') {
  // A copy: what this look remembers must not change what the next real one sees.
  const one = porter.fleet.copyOf(record.address);
  const facts = containerFacts(porter, record, one, found);
  const spooled = porter.registry.spooled(record.address, 500);
  const nowMs = porter.clock.now();
  let files: FilesObservation = { kind: 'unread' };
  if (record.quarantine === null) {
    const replays = porter.registry.replays(record.address);
    const outcome = await porter.files.look(record.address, { nowMs, lane: 'slow', replays });
    if (outcome.kind === 'missing' && spooled.length > 0) files = freshFiles(porter, one);
    else files = filesObservation(porter, one, facts, outcome);
    if (files.kind === 'unread' && outcome.kind !== 'missing') return 'unreadable';
  }
  if (files.kind === 'read') files = { ...files, facts: withSpooled(files.facts, spooled, nowMs) };
  const observation = sessionObservation(porter, record, one, facts, files);
  const actions = planSession(observation, porter.policy(record), {
    nowMs,
    monotonicMs: porter.clock.monotonic(),
    stalenessWaits: null,
  });
  return { actions, spooled: spooled.length };
}

/** Files that the round would make first. */
function freshFiles(porter: Porter, one: Supervised): FilesObservation {
  return filesObservation(
    porter,
    one,
    { kind: 'none' },
    {
      kind: 'ok',
      acked: [],
      strayClaims: [],
      marksToClear: [],
      dueSeries: [],
      replays: [],
      liveSeries: 0,
      due: { dueCount: 0, oldestDueAtMs: null, nextDueAtMs: null },
      counts: { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 },
      heartbeatMtimeMs: null,
      containerState: null,
      answers: { count: 0, mark: 0 },
      newestAck: null,
      notes: NO_NOTES,
      lastActiveMs: null,
      signature: '',
    },
  );
}

function wakes(porter: Porter, waiting: readonly Waiting[], containers: readonly Container[]): SweepAction[] {
  const running = containers.filter(isUp);
  const decision = planRoom({
    waiting,
    running: running.flatMap(({ session }) => (session === undefined ? [] : [session])),
    occupied: running.length,
    idle: [],
    limit: porter.settings().maxConcurrentContainers,
  });
  const starts = new Set<SessionAddress>(decision.start);
  return waiting
    .filter(({ session }) => starts.has(session))
    .map((one) => describeAction(one.session, { kind: 'wake', reason: one.reason, dueSinceMs: one.dueSinceMs }));
}
