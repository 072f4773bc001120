import { planSession } from '../core/plan/plan-session.js';
import { heldClaims } from '../core/claims.js';
import { guardAfterClaim } from '../core/guard.js';
import type { Action } from '../core/action.js';
import type { ContainerFacts, FilesObservation, SessionObservation } from '../core/observation.js';
import type { SessionRecord } from '../ports/registry.js';
import type { Container } from '../ports/runtime.js';
import type { FilesLook, FilesOutcome } from '../ports/session-files.js';
import type { SessionAddress } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import type { RunnerNotes } from '../protocol/runner-notes.js';
import { finishRemoval } from '../ports/finish-removal.js';
import { deliverSpool } from './deliver.js';
import { harvest, hasAckOf, recordEnd } from './end-incarnation.js';
import type { Executor, Verdict } from './execute.js';
import { patienceMs } from './faults.js';
import { isMessageAction } from './message-actions.js';
import { isUp } from './fleet.js';
import type { Supervised } from './fleet.js';
import { containerFacts, filesObservation, inspectSession, sessionObservation } from './observe.js';
import type { Pass, Porter } from './porter.js';
import { replaysDueAtMs } from './replays.js';

/** Looks whose plan was overtaken by the container start over at most this often; then the next hint goes on. */
const MOST_RESTARTS = 4;

/** observe -> plan -> act -> record, for one session. The caller sees to it that only one runs at a time. */
export async function lookAt(porter: Porter, executor: Executor, session: SessionAddress, pass: Pass): Promise<void> {
  try {
    for (let turn = 0; turn < MOST_RESTARTS; turn += 1) {
      const again = await lookOnce(porter, executor, session, pass);
      if (!again) break;
    }
  } finally {
    const one = porter.fleet.find(session);
    if (one !== undefined) one.ending = false;
    porter.fleet.tidy(session);
  }
}

async function lookOnce(porter: Porter, executor: Executor, session: SessionAddress, pass: Pass): Promise<boolean> {
  const found = porter.registry.findSession(session);
  if (found === undefined) return false;
  if (porter.registry.isBeingRemoved(session)) await takeAway(porter, session);
  const one = porter.fleet.at(session);
  const { generation } = one;
  // Delivering needs to know nothing of the container: the host alone writes inbound.db.
  const [{ container, ended }, delivered] = await both(
    observeContainer(porter, found, one, pass),
    found.quarantine === null ? deliverSpool(porter, session, one, pass) : Promise.resolve(undefined),
  );
  if (ended === 'unknown') return false;

  const dueMark = porter.registry.findSession(session)?.dueMark;
  const containerGone = one.inFlight === null && (container === null || (container !== 'unknown' && !isUp(container)));
  let outcome = delivered ?? (await readFiles(porter, found, one, containerGone));
  await porter.turn();
  const record = porter.registry.findSession(session);
  if (record === undefined) return false;

  // A start or stop began or ended meanwhile: what was seen of the container is not true any more.
  if (one.generation !== generation) return true;
  const facts = containerFacts(porter, record, one, container);
  let files = outcome === undefined ? UNREAD : filesObservation(porter, one, facts, outcome);
  if (facts.kind === 'none') {
    one.blocked = false;
    one.yieldWanted = false;
    // Locked files may tell of a claim as soon as they can be read; until then nothing else is done anyway.
    if (files.kind !== 'busy') {
      const end = one.ended?.epoch === record.epoch ? one.ended.end : undefined;
      recordEnd(porter, record, one, end, files.kind === 'read' ? files.facts : undefined);
      one.ended = null;
    }
  }
  tellBusy(porter, record, one, facts, files);
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
  if (isSettled(observation, actions, verdict)) porter.leftBehind.settled(session);
  recordLook(porter, record, one, outcome, verdict, dueMark);
  return false;
}

/** Whether what an earlier process left behind is dealt with: its container runs on, or its claims are written off. */
function isSettled({ container, files }: SessionObservation, actions: readonly Action[], verdict: Verdict): boolean {
  if (container.kind === 'running') return true;
  return container.kind === 'none' && files.kind === 'read' && (verdict !== null || !actions.some(isMessageAction));
}

/** Of a deleted session of the same name: nothing of it may be found by the new one. */
async function takeAway({ registry, files }: Porter, session: SessionAddress): Promise<void> {
  const trouble = await finishRemoval(registry, files, session);
  if (trouble === undefined) return;
  throw new NightporterError('failed', `the folder of the deleted session ${session} is not gone yet: ${trouble}`);
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

/** Waits for both, whatever comes of one: nothing of a look may outlive it. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

/** What the runtime has of the session, and how it ended where it is over; `unknown`: that cannot be told now. */
async function observeContainer(porter: Porter, record: SessionRecord, one: Supervised, pass: Pass) {
  const container = await findContainer(porter, record, one, pass);
  return { container, ended: await harvestIfOver(porter, one, container) };
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
  if (container !== 'unknown') {
    one.ending = one.container !== null && isUp(one.container) && (container === null || !isUp(container));
    one.container = container;
  }
  one.absentSinceMonotonicMs = container === null ? porter.clock.monotonic() : null;
  return container;
}

/** What an end told is remembered until it is recorded: a harvested container tells it only once. */
async function harvestIfOver(
  porter: Porter,
  one: Supervised,
  container: Container | null | 'unknown',
): Promise<'unknown' | 'known'> {
  if (container === 'unknown' || container === null || isUp(container)) return 'known';
  if (one.ended?.epoch === container.epoch) return 'known';
  const end = await harvest(porter, container);
  if (end === undefined) return 'unknown';
  // What was only created never ran: it is not an end of the session's.
  if (container.state !== 'created') one.ended = { epoch: container.epoch, end };
  return 'known';
}

/** Files that somebody else than a container keeps locked: told once, until they are free. */
function tellBusy(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  container: ContainerFacts,
  files: FilesObservation,
): void {
  if (files.kind !== 'busy') {
    if (one.busyTold) porter.notices.settle('file_busy', record.address);
    one.busyTold = false;
    return;
  }
  if (one.busyTold || container.kind === 'running' || files.forMs <= porter.policy(record).lockedStopMs) return;
  one.busyTold = true;
  porter.notices.raise(
    'file_busy',
    record.address,
    `the files of ${record.address} have been locked for ${String(Math.round(files.forMs / 1_000))} s although no container of it runs (${files.detail}): find out which program has them open; its messages wait`,
  );
}

async function readFiles(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  containerGone: boolean,
): Promise<FilesOutcome<FilesLook> | undefined> {
  if (record.quarantine !== null) return undefined;
  const lane = one.busyLooks > 0 ? 'slow' : 'normal';
  try {
    const replays = porter.registry.replays(record.address);
    return await porter.files.look(record.address, { nowMs: porter.clock.now(), lane, containerGone, replays });
  } catch (err) {
    if (!isForbidden(err)) throw err;
    return { kind: 'busy', file: 'session files', detail: err.message };
  }
}

/** A container can take away the right to read what is its own: that is a lock like any other. */
function isForbidden(err: unknown): err is Error {
  if (!(err instanceof Error) || !(err.cause instanceof Error) || !('code' in err.cause)) return false;
  return err.cause.code === 'EACCES' || err.cause.code === 'EPERM';
}

/** A claim of this incarnation was seen: it is no fruitless start, whatever comes. */
function noteClaims(porter: Porter, record: SessionRecord, one: Supervised, observation: SessionObservation): void {
  if (observation.container.kind !== 'running' || observation.files.kind !== 'read') return;
  const { epoch } = observation.container;
  if (one.claimedEpoch === epoch || epoch !== record.epoch) return;
  const { facts } = observation.files;
  const incarnation = { epoch, startedAtMs: observation.container.startedAtMs };
  if (heldClaims(facts, incarnation).length === 0 && !hasAckOf(facts, incarnation)) return;
  one.claimedEpoch = epoch;
  porter.registry.together(() => {
    porter.registry.markClaimed(record.address, record.epoch);
    const guard = guardAfterClaim(porter.registry.guard(record.address));
    porter.registry.saveGuard(record.address, guard);
    if (guard.heldSinceMs === null) porter.notices.settle('held', record.address);
    porter.notices.settle('wake_failing', record.address);
  });
}

/** Of dead letters that nobody was told of when they ended: the host was killed then, or could not write. */
function tellDeadLetters({ notices }: Porter, { address, counts }: SessionRecord, failed: number, told: number): void {
  if (counts.failed > 0 && failed === 0) notices.settle('dead_letter', address);
  if (failed - counts.failed <= told) return;
  const text = `${String(failed)} messages of ${address} ended as failed; they are kept: "nightporter dead list"`;
  notices.raise('dead_letter', address, text);
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
    porter.alarm(record.address, patienceMs(one.busyLooks, porter.settings().busyRetryMaxMs));
  }
  if (outcome?.kind === 'corrupt') porter.alarm(record.address, 1_000);
  if (outcome?.kind !== 'ok') return;
  const { due, counts, liveSeries } = verdict ?? outcome;
  tellDeadLetters(porter, record, counts.failed, verdict?.told ?? 0);
  const dueAtMs = due.oldestDueAtMs ?? due.nextDueAtMs;
  const replayDueAtMs = replaysDueAtMs(porter, record);
  porter.registry.together(() => {
    porter.registry.noteRunner(record.address, outcome.notes, porter.clock.now());
    noteResumeFailures(porter, record, outcome.notes);
    porter.budgets.noted(record, outcome.notes);
    porter.registry.recordLook(record.address, {
      counts,
      liveSeries,
      nextDueAtMs: replayDueAtMs === null ? dueAtMs : Math.min(replayDueAtMs, dueAtMs ?? replayDueAtMs),
      signature: outcome.signature,
      lastActiveMs: outcome.lastActiveMs,
      ...(dueMark === undefined ? {} : { dueMark }),
    });
  });
}

/** Of no more providers than the session may ask: a container writes what it likes. */
function noteResumeFailures(porter: Porter, record: SessionRecord, { resumeFailures }: RunnerNotes): void {
  if (Object.keys(resumeFailures).length === 0) return;
  const { provider, asking } = porter.specs.template(record);
  const own = new Set([provider, ...asking.fallbackProviders]);
  const believed = Object.entries(resumeFailures).filter(([name]) => own.has(name));
  if (believed.length > 0) porter.registry.noteResumeFailures(record.address, Object.fromEntries(believed));
}
