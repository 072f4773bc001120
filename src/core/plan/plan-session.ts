import type { Action } from '../action.js';
import type { FilesFacts } from '../facts.js';
import { guardAfterMessages } from '../guard.js';
import type { GuardState } from '../guard.js';
import type { ContainerFacts, FilesObservation, PassContext, SessionObservation } from '../observation.js';
import type { Policy } from '../policy.js';
import { planHostStop } from './host-stop.js';
import { planJudge } from './judge.js';
import type { Running } from './judge.js';
import { planMissed, planRecurrence, turnsOf } from './recur.js';
import { planReplay } from './replay.js';
import { planSettle } from './settle.js';
import { planSync } from './sync.js';
import { planWake } from './wake.js';

type Read = Extract<FilesObservation, { readonly kind: 'read' }>;
type Busy = Extract<FilesObservation, { readonly kind: 'busy' }>;
type Corrupt = Extract<FilesObservation, { readonly kind: 'corrupt' }>;

/** What to do about one session, in this order: sync, settle, stop, wake; `wait` actions say what is not done and why. */
export function planSession(observation: SessionObservation, policy: Policy, context: PassContext): Action[] {
  const { container, files } = observation;
  if (observation.quarantined) return planQuarantined(container);
  switch (files.kind) {
    case 'read':
      return planRead(observation, files, policy, context);
    case 'busy':
      return planBusy(container, files, policy, context);
    case 'hostile':
      return [
        { kind: 'quarantine', reason: 'hostile', file: files.file, detail: files.detail },
        ...(container.kind === 'running' ? [stopHostile(`${files.file}: ${files.detail}`)] : []),
      ];
    case 'corrupt':
      return planCorrupt(container, files);
    case 'unread':
      return [];
  }
}

function planRead(observation: SessionObservation, files: Read, policy: Policy, context: PassContext): Action[] {
  const { container, blocked } = observation;
  const { facts } = files;
  const { nowMs } = context;
  const noneRuns = container.kind === 'none' && !blocked;
  const sync = planSync(facts, noneRuns, policy, nowMs);
  const replay = planReplay(facts, noneRuns, nowMs);
  const settled = noneRuns ? planSettle(withoutForgotten(facts, replay.actions), observation, policy, nowMs) : [];
  const ends = [...sync.actions, ...settled];
  const missed = noneRuns ? planMissed(facts, policy, nowMs) : [];
  const turns = turnsOf(facts, files.memory, nowMs);
  const messages = [...planRecurrence(ends, turns, policy, nowMs), ...missed, ...replay.actions];
  const guard = guardAfter(observation.guard, messages, nowMs);
  const isNewlyHeld = observation.guard.heldSinceMs === null && guard.heldSinceMs !== null;
  return [
    ...messages,
    ...(isNewlyHeld ? [HOLD] : []),
    // What moves is looked at again before anything is woken for it.
    ...(missed.some(({ kind }) => kind === 'advance')
      ? []
      : container.kind === 'running'
        ? planStop(observation, container, files, sync.rearmWaits || replay.rearmWaits, policy, context)
        : planWake(observation, dueSinceMs(facts, messages, nowMs), guard, policy, nowMs)),
  ];
}

/** A stray claim that a replay has to have forgotten first is not named twice. */
function withoutForgotten(facts: FilesFacts, actions: readonly Action[]): FilesFacts {
  const named = new Set(actions.filter((action) => action.kind === 'forget').map(({ claim }) => claim.messageId));
  return { ...facts, strayClaims: facts.strayClaims.filter(({ messageId }) => !named.has(messageId)) };
}

/** What its messages did to a session; holds for starts and for memory are the business of the incarnation's end. */
const HOLD: Action = { kind: 'hold', reason: 'settled_failures' };

/** A stop for cause goes before one for the host's reasons; what waits is said only where nothing stops it. */
function planStop(
  observation: SessionObservation,
  running: Running,
  { facts, memory }: Read,
  rearmWaits: boolean,
  policy: Policy,
  context: PassContext,
): readonly Action[] {
  const judged = planJudge(running, facts, memory, policy, context);
  const wanted = planHostStop(observation, running, facts, memory, rearmWaits);
  const stop = [...judged, ...wanted].find(({ kind }) => kind === 'stop');
  return stop === undefined ? [...judged, ...wanted] : [stop];
}

function guardAfter(guard: GuardState, messages: readonly Action[], nowMs: number): GuardState {
  const completed = messages.filter(({ kind }) => kind === 'complete').length;
  // What an outage cut off says nothing of the session.
  const settledFailed = messages.filter(
    (action) => action.kind === 'fail' && action.by === 'settle' && action.reason !== 'stale_active',
  ).length;
  return guardAfterMessages(guard, { completed, settledFailed }, nowMs);
}

/** Since when work is due, with what these actions make due at once: again, or as what follows an occurrence. */
function dueSinceMs(facts: FilesFacts, messages: readonly Action[], nowMs: number): number | null {
  const rearmed = [
    ...facts.acked.filter(({ message }) => message.status === 'pending').map(({ message }) => message),
    ...facts.replays.map(({ message }) => message).filter((message) => message !== null),
  ];
  const wakes = new Set(rearmed.filter(({ trigger }) => trigger).map(({ id }) => id));
  const made = messages.flatMap((action) =>
    'messageId' in action && wakes.has(action.messageId) ? dueTimesOf(action) : [],
  );
  const due = [
    ...made.filter((atMs) => atMs <= nowMs),
    ...(facts.due.oldestDueAtMs === null ? [] : [facts.due.oldestDueAtMs]),
  ];
  return due.length === 0 ? null : Math.min(...due);
}

/** When a message is due after an action, or those that take its place are. */
function dueTimesOf(action: Action): readonly number[] {
  switch (action.kind) {
    case 'retry':
    case 'replay':
      return [action.dueAtMs];
    case 'complete':
    case 'fail':
      return (action.change.successors ?? []).map(({ occurrenceMs }) => occurrenceMs);
    default:
      return [];
  }
}

function planQuarantined(container: ContainerFacts): Action[] {
  if (container.kind === 'running') return [stopHostile('the session is quarantined')];
  return [{ kind: 'wait', reason: 'quarantined', untilMs: null, detail: 'until an operator releases it' }];
}

/**
 * A lock is timed by the monotonic clock alone, and so is not excused by a start in the future, as a clock that was set
 * back leaves it.
 */
function planBusy(container: ContainerFacts, files: Busy, policy: Policy, { nowMs }: PassContext): Action[] {
  if (container.kind === 'running' && files.forMs > policy.lockedStopMs) {
    const ageMs = nowMs - container.startedAtMs;
    const isInGrace = ageMs >= 0 && ageMs <= policy.startGraceMs;
    const detail = `its files are locked for ${Math.round(files.forMs)} ms: ${files.detail}`;
    if (!isInGrace) return [{ kind: 'stop', reason: 'locked', detail }];
  }
  return [{ kind: 'wait', reason: 'files_busy', untilMs: null, detail: files.detail }];
}

function planCorrupt(container: ContainerFacts, files: Corrupt): Action[] {
  const detail = `${files.file}: ${files.detail}`;
  switch (container.kind) {
    case 'running':
      return [{ kind: 'stop', reason: 'corrupt', detail }];
    case 'none':
      return [{ kind: 'replace_file', reason: 'corrupt', file: files.file, detail: files.detail }];
    case 'unknown':
      return [{ kind: 'wait', reason: 'runtime_unknown', untilMs: null, detail }];
    case 'in_flight':
      return [{ kind: 'wait', reason: 'in_flight', untilMs: null, detail }];
  }
}

function stopHostile(detail: string): Action {
  return { kind: 'stop', reason: 'hostile', detail };
}
