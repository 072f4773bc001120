import { guardAfterStart, startPermission } from '../core/guard.js';
import { nextEpoch } from '../core/epoch.js';
import { planSession } from '../core/plan/plan-session.js';
import { epochOf } from '../protocol/address.js';
import type { Epoch, SessionAddress } from '../protocol/address.js';
import type { SessionRecord } from '../ports/registry.js';
import type { Container, StartResult } from '../ports/runtime.js';
import type { FilesLook } from '../ports/session-files.js';
import { containerSpec } from './container-spec.js';
import { applyGuard } from './end-incarnation.js';
import { isUp, setInFlight } from './fleet.js';
import type { Supervised } from './fleet.js';
import { filesObservation, inspectSession, sessionObservation } from './observe.js';
import { tellDuplicates } from './message-actions.js';
import type { Porter } from './porter.js';
import type { Preparation } from './preparation.js';
import { quarantine } from './quarantine.js';
import type { Waiting } from './room.js';

/** Failing wakes are told of at this one, and then at every tenth. */
const TELL_AT = 3;
const TELL_EVERY = 10;

/** How long an answer of the runtime that a session has no container is as good as a new one: only this process starts any. */
const ABSENCE_HOLDS_MS = 1_000;

/** Wakes sessions: readies the files, looks once more, numbers the incarnation, starts, confirms. */
export class Starts {
  readonly #porter: Porter;
  readonly #preparation: Preparation;

  constructor(porter: Porter, preparation: Preparation) {
    this.#porter = porter;
    this.#preparation = preparation;
  }

  /**
   * Begins a start and answers true, unless one is in flight or a container is there. Its end is a hint, or an alarm
   * where it would only fail again; `ended`: its place may be free again.
   */
  start(waiting: Waiting, ended: () => void): boolean {
    const { session } = waiting;
    const one = this.#porter.fleet.at(session);
    if (one.inFlight !== null || (one.container !== null && isUp(one.container))) return false;
    if (this.#mustWait(session)) return false;
    setInFlight(one, 'starting');
    this.#porter.operations.run('start', async () => {
      const { faults } = this.#porter;
      try {
        const isDone = await this.#porter.alone(session, () => this.#wake(waiting, one));
        setInFlight(one, null);
        if (isDone) this.#porter.hint(session);
        else faults.postponed('start', session);
      } catch (err) {
        setInFlight(one, null);
        faults.failed('start', session, err);
      }
      this.#porter.providers.startEnded(session);
      ended();
    });
    return true;
  }

  /** False: the files were not ready, or the wake is not wanted any more. */
  async #wake(waiting: Waiting, one: Supervised): Promise<boolean> {
    const { session, reason } = waiting;
    const { registry, clock } = this.#porter;
    const record = registry.findSession(session);
    if (record === undefined || this.#porter.isStopping()) return true;
    const nowMs = clock.now();
    const found = isKnownAbsent(waiting, clock.monotonic()) ? null : await inspectSession(this.#porter, record);
    if (found !== null) {
      if (found !== 'unknown') one.container = found;
      return true;
    }
    const resumeMaxAgeMs = this.#porter.policy(record).maxSessionAgeMs;
    const outcome = await this.#porter.files.prepareStart(session, { nowMs, lane: 'normal', resumeMaxAgeMs });
    if (outcome.kind === 'hostile') quarantine(this.#porter, session, outcome.file, outcome.detail);
    if (outcome.kind === 'ok') {
      tellDuplicates(this.#porter, record, outcome.duplicates);
      if (outcome.expired > 0) {
        registry.noteRunner(session, outcome.notes, nowMs);
        this.#porter.log.info({ session, expired: outcome.expired }, 'resume id too old: the turn begins afresh');
      }
    }
    if (outcome.kind !== 'ok' || !this.#isStillWanted(record, one, outcome)) return false;
    const needsRunner = this.#porter.specs.template(record).image === null;
    if (needsRunner && !(await this.#preparation.ensure())) return true;
    await this.#porter.turn();
    const atLeast = epochOf(nextEpoch({ registry: record.epoch, acks: ackEpochs(outcome) }) - 1);
    // Others may have begun to try their provider meanwhile.
    if ('untilMs' in this.#porter.providers.permission(record)) return false;
    const epoch = registry.together(() => {
      this.#porter.providers.starts(record);
      const guard = registry.guard(session);
      registry.saveGuard(session, guardAfterStart(guard, this.#porter.policy(record), nowMs));
      return registry.beginIncarnation(session, {
        atLeast,
        specHash: containerSpec(this.#porter.specs, record, record.epoch).specHash,
        atMs: clock.now(),
        answersMark: outcome.answers.mark,
      });
    });
    const answer = await this.#porter.gate.call((runtime) =>
      runtime.start(containerSpec(this.#porter.specs, record, epoch)),
    );
    // Down in the middle of a start: it may have happened. The incarnation stays open until the next list tells.
    if (answer === undefined) return true;
    this.#started(record, one, epoch, answer.value, reason);
    this.#porter.faults.worked('start', session);
    return true;
  }

  /** The acks read in the preparing step may say otherwise than those that the wake was planned from. */
  #isStillWanted(record: SessionRecord, one: Supervised, look: FilesLook): boolean {
    const container = { kind: 'none' as const };
    const files = filesObservation(this.#porter, one, container, { kind: 'ok', ...look });
    const policy = this.#porter.policy(record);
    const observation = sessionObservation(this.#porter, record, one, container, files);
    const nowMs = this.#porter.clock.now();
    const actions = planSession(observation, policy, {
      nowMs,
      monotonicMs: this.#porter.clock.monotonic(),
      stalenessWaits: null,
    });
    const [first] = actions;
    const permitted = startPermission(this.#porter.registry.guard(record.address), policy, nowMs).kind === 'allowed';
    return permitted && actions.length === 1 && first?.kind === 'wake';
  }

  /**
   * For what others have begun since it was planned: the first turn of its provider, the last ones of its group. And a
   * runner image that cannot be made is not asked for by every session anew.
   */
  #mustWait(session: SessionAddress): boolean {
    const { registry, specs, budgets, providers } = this.#porter;
    const record = registry.findSession(session);
    if (record === undefined) return false;
    const preparationMs = specs.template(record).image === null ? this.#preparation.waitsForMs() : 0;
    const waitMs = Math.max(preparationMs, budgets.waitsForMs(record));
    if (waitMs > 0) {
      this.#porter.alarm(session, waitMs);
      return true;
    }
    return !providers.mayStart(record);
  }

  #started(record: SessionRecord, one: Supervised, epoch: Epoch, result: StartResult, reason: string): void {
    const { registry, log } = this.#porter;
    const session = record.address;
    switch (result.kind) {
      case 'started':
        this.#confirm(session, one, result.container, reason);
        return;
      case 'exists':
        one.container = result.container;
        if (result.container.epoch === epoch) this.#confirm(session, one, result.container, reason);
        else log.warn({ session, epoch, other: result.container.epoch }, 'another container holds the name');
        return;
      case 'refused': {
        this.#preparation.forget();
        const before = registry.guard(session).fruitless;
        registry.together(() => {
          registry.endIncarnation(session, epoch, {
            stoppedAtMs: this.#porter.clock.now(),
            exitCode: null,
            signal: null,
            oomKilled: false,
            turnsCompleted: 0,
            output: result.detail,
            fruitless: true,
          });
          applyGuard(this.#porter, record, { fruitless: true, oomKilled: false, hostCaused: false });
        });
        log.warn({ session, epoch, detail: result.detail }, 'start refused');
        this.#tellRefused(session, before + 1, result.detail);
      }
    }
  }

  #confirm(session: SessionAddress, one: Supervised, container: Container, reason: string): void {
    this.#porter.providers.started(session);
    const startedAtMs = container.startedAtMs ?? this.#porter.clock.now();
    one.container = container;
    one.turns = 0;
    one.memory = undefined;
    this.#porter.registry.confirmStart(session, container.epoch, container.id, startedAtMs);
    this.#porter.log.info({ session, epoch: container.epoch, containerId: container.id, reason }, 'container started');
  }

  #tellRefused(session: SessionAddress, failures: number, detail: string): void {
    if (failures !== TELL_AT && failures % TELL_EVERY !== 0) return;
    this.#porter.notices.raise(
      'wake_failing',
      session,
      `session ${session} could not be started ${String(failures)} times: ${detail}`,
    );
  }
}

/** The look that asked for this start has just found none; the runtime itself refuses a second one of the name. */
function isKnownAbsent({ absentSinceMonotonicMs: sinceMs }: Waiting, monotonicMs: number): boolean {
  return sinceMs !== null && monotonicMs - sinceMs <= ABSENCE_HOLDS_MS;
}

function ackEpochs(look: FilesLook): number[] {
  const epochs = look.acked.flatMap(({ ack }) => (ack.incarnation === null ? [] : [ack.incarnation]));
  const newest = look.newestAck?.incarnation ?? null;
  return newest === null ? epochs : [...epochs, newest];
}
