import { planSession } from '../core/plan/plan-session.js';
import { heldClaims } from '../core/claims.js';
import { guardAfterClaim } from '../core/guard.js';
import type { Action } from '../core/action.js';
import type { FilesObservation, SessionObservation } from '../core/observation.js';
import type { SessionRecord } from '../ports/registry.js';
import type { Container, ContainerEnd } from '../ports/runtime.js';
import type { FilesLook, FilesOutcome } from '../ports/session-files.js';
import type { SessionAddress } from '../protocol/address.js';
import { deliverSpool } from './deliver.js';
import { harvest, recordEnd } from './end-incarnation.js';
import type { Executor } from './execute.js';
import { isUp } from './fleet.js';
import type { Supervised } from './fleet.js';
import { containerFacts, filesObservation, inspectSession, sessionObservation } from './observe.js';
import type { Pass, Porter } from './porter.js';

/** Looks whose plan was overtaken by the container start over at most this often; then the next hint goes on. */
const MOST_RESTARTS = 4;

/** observe -> plan -> act -> record, for one session. The caller sees to it that only one runs at a time. */
export async function lookAt(porter: Porter, executor: Executor, session: SessionAddress, pass: Pass): Promise<void> {
  for (let turn = 0; turn < MOST_RESTARTS; turn += 1) {
    const again = await lookOnce(porter, executor, session, pass);
    if (!again) break;
  }
  porter.fleet.tidy(session);
}

async function lookOnce(porter: Porter, executor: Executor, session: SessionAddress, pass: Pass): Promise<boolean> {
  const found = porter.registry.findSession(session);
  if (found === undefined) return false;
  const one = porter.fleet.at(session);
  const { generation } = one;
  const container = await findContainer(porter, found, one, pass);
  const ended = await harvestIfOver(porter, container);
  if (ended === 'unknown') return false;

  const delivered = found.quarantine === null ? await deliverSpool(porter, session, one, pass) : undefined;
  const dueMark = porter.registry.findSession(session)?.dueMark;
  const containerGone = one.inFlight === null && (container === null || (container !== 'unknown' && !isUp(container)));
  let outcome = delivered ?? (await readFiles(porter, found, one, containerGone));
  const record = porter.registry.findSession(session);
  if (record === undefined) return false;

  // A start or stop began or ended meanwhile: what was seen of the container is not true any more.
  if (one.generation !== generation) return true;
  const facts = containerFacts(porter, record, one, container);
  let files = outcome === undefined ? UNREAD : filesObservation(porter, one, facts, outcome);
  if (facts.kind === 'none') {
    one.blocked = false;
    one.yieldWanted = false;
    const isOfLast = container !== 'unknown' && container?.epoch === record.epoch;
    recordEnd(
      porter,
      record,
      one,
      isOfLast ? (ended ?? undefined) : undefined,
      files.kind === 'read' ? files.facts : undefined,
    );
  }
  let observation = sessionObservation(porter, record, one, facts, files);
  noteClaims(porter, record, one, observation);
  let actions = plan(porter, record, one, observation, pass);
  if (files.kind === 'read' && actions.some((action) => action.kind === 'stop')) {
    // Heartbeat and claims are read again immediately before a stop: it may have come back to life.
    outcome = await readFiles(porter, record, one, false);
    files = outcome === undefined ? UNREAD : filesObservation(porter, one, facts, outcome);
    observation = sessionObservation(porter, record, one, facts, files);
    actions = plan(porter, record, one, observation, pass);
  }
  if (outcome !== undefined && outcome.kind !== 'ok' && outcome.kind !== 'missing') pass.error(session);
  const verdict = await executor.execute({ record, one, observation, actions, pass });
  if (verdict === 'again') return true;
  recordLook(porter, record, one, outcome, verdict, dueMark);
  return false;
}

const UNREAD: FilesObservation = { kind: 'unread' };

function plan(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  observation: SessionObservation,
  pass: Pass,
): Action[] {
  const actions = planSession(observation, porter.policy(record), {
    nowMs: porter.clock.now(),
    monotonicMs: porter.clock.monotonic(),
    stalenessWaits: pass.stalenessWaits,
  });
  return one.yieldWanted ? withYield(observation, actions) : actions;
}

/** Others wait for its place, and it has nothing to do. */
function withYield(observation: SessionObservation, actions: Action[]): Action[] {
  const isIdle =
    observation.container.kind === 'running' &&
    observation.files.kind === 'read' &&
    observation.files.memory.idleSinceMonotonicMs !== null;
  if (!isIdle || actions.some((action) => action.kind === 'stop')) return actions;
  return [...actions, { kind: 'stop', reason: 'yielded', detail: 'idle while other sessions wait for a place' }];
}

/** A round has just listed; a hint asks by name. */
async function findContainer(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  pass: Pass,
): Promise<Container | null | 'unknown'> {
  if (!porter.fleet.known) return 'unknown';
  if (one.inFlight !== null) return one.container;
  if (pass.kind === 'round') return porter.gate.isDown ? 'unknown' : one.container;
  const container = await inspectSession(porter, record);
  if (container !== 'unknown') one.container = container;
  return container;
}

async function harvestIfOver(
  porter: Porter,
  container: Container | null | 'unknown',
): Promise<ContainerEnd | 'unknown' | null> {
  if (container === 'unknown' || container === null || isUp(container)) return null;
  return (await harvest(porter, container)) ?? 'unknown';
}

async function readFiles(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  containerGone: boolean,
): Promise<FilesOutcome<FilesLook> | undefined> {
  if (record.quarantine !== null) return undefined;
  const lane = one.busyLooks > 0 ? 'slow' : 'normal';
  return porter.files.look(record.address, { nowMs: porter.clock.now(), lane, containerGone });
}

/** A claim of this incarnation was seen: it is no fruitless start, whatever comes. */
function noteClaims(porter: Porter, record: SessionRecord, one: Supervised, observation: SessionObservation): void {
  if (observation.container.kind !== 'running' || observation.files.kind !== 'read') return;
  const { epoch } = observation.container;
  if (one.claimedEpoch === epoch || epoch !== record.epoch) return;
  const { startedAtMs } = observation.container;
  if (heldClaims(observation.files.facts, { epoch, startedAtMs }).length === 0) return;
  one.claimedEpoch = epoch;
  porter.registry.markClaimed(record.address, record.epoch);
  const guard = guardAfterClaim(porter.registry.guard(record.address));
  porter.registry.saveGuard(record.address, guard);
  if (guard.heldSinceMs === null) porter.notices.settle('held', record.address);
  porter.notices.settle('wake_failing', record.address);
}

/** `verdict`: what writing left behind, where something was written. */
function recordLook(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  outcome: FilesOutcome<FilesLook> | undefined,
  verdict: Exclude<Awaited<ReturnType<Executor['execute']>>, 'again'>,
  dueMark: number | undefined,
): void {
  if (outcome?.kind === 'busy') {
    const delayMs = Math.min(1_000 * 2 ** Math.min(one.busyLooks - 1, 3), porter.settings.busyRetryMaxMs);
    porter.alarm(record.address, one.busyLooks > 4 ? porter.settings.busyRetryMaxMs : delayMs);
  }
  if (outcome?.kind === 'corrupt') porter.alarm(record.address, 1_000);
  if (outcome?.kind !== 'ok') return;
  const { due, counts } = verdict ?? outcome;
  porter.registry.recordLook(record.address, {
    counts,
    nextDueAtMs: due.oldestDueAtMs ?? due.nextDueAtMs,
    signature: outcome.signature,
    lastActiveMs: outcome.lastActiveMs,
    ...(dueMark === undefined ? {} : { dueMark }),
  });
}
