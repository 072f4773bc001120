import type { Registry, SessionRecord } from '../../src/ports/registry.js';
import type { ContainerId } from '../../src/ports/runtime.js';
import { isHostReason } from '../../src/core/reasons.js';
import type { MessageId, SessionAddress } from '../../src/protocol/address.js';
import type { ErrorClass } from '../../src/protocol/rows.js';
import type { SimContainer } from './container.js';
import type { SimEngine } from './engine.js';
import { auditFile } from './file-audit.js';
import { StartLedger } from './start-ledger.js';
import { judgeStop } from './stop-audit.js';
import type { World } from './world.js';

/** What really became of one message, whatever the host believes. */
export interface MessageTruth {
  readonly id: MessageId;
  readonly session: SessionAddress;
  readonly series: string | null;
  /** The sender was told that it is kept. */
  isConfirmed: boolean;
  /** Place in the order in which messages of its session were accepted; null: not known. */
  order: number | null;
  isInFile: boolean;
  /** Turns since it was put in or replayed that ought to have cost a try. */
  spent: number;
  /** Turns that may have cost one. */
  doubtful: number;
  /** When its last turn ended with its container, monotonic; null: it did not, or another one has begun. */
  diedMs: number | null;
  /** A turn of it ended with a `completed` ack. */
  isCompleted: boolean;
  /** A turn of it ended with an ack after which there is no further one. */
  isFinal: boolean;
  ended: 'completed' | 'failed' | null;
  /** Replays that were asked for and not seen yet. */
  replays: number;
  /** Its session was deleted, or was about to be when its host was killed. */
  isGone: boolean;
}

export interface SeriesTruth {
  readonly id: string;
  readonly session: SessionAddress;
  /** Minutes between its times, by all expressions that it ever had. */
  readonly everyMinutes: Set<number>;
  readonly policy: 'latest' | 'skip' | 'all';
  /** As the operator left it; `unknown`: a change was asked for and its end not seen. */
  state: 'goes_on' | 'paused' | 'cancelled' | 'unknown';
  /** Changes asked for so far. */
  changes: number;
  /** Those that may still happen. */
  underWay: number;
  /** An operator did something to it. */
  isTouched: boolean;
  /** Scheduled instants of the rows seen so far. */
  readonly seen: Set<number>;
}

/** What really happened in a simulation, and what must never have. */
export class Truth {
  readonly messages = new Map<MessageId, MessageTruth>();
  readonly serieses = new Map<string, SeriesTruth>();
  readonly world: World;
  readonly #starts: StartLedger;
  #engine: SimEngine | undefined;
  readonly #orders = new Map<SessionAddress, number>();

  constructor(world: World) {
    this.world = world;
    this.#starts = new StartLedger(world);
  }

  watchEngine(engine: SimEngine): void {
    this.#engine = engine;
  }

  get engine(): SimEngine {
    if (this.#engine === undefined) throw new Error('there is no engine yet');
    return this.#engine;
  }

  // --- what is sent

  sent(id: MessageId, session: SessionAddress, series: string | null): MessageTruth {
    const known = this.messages.get(id);
    if (known !== undefined) return known;
    const order = this.#orders.get(session) ?? 0;
    this.#orders.set(session, order + 1);
    const message: MessageTruth = {
      ...{ id, session, series, order, isConfirmed: false, isInFile: false, spent: 0, doubtful: 0, diedMs: null },
      ...{ isCompleted: false, isFinal: false, ended: null, replays: 0, isGone: false },
    };
    this.messages.set(id, message);
    return message;
  }

  /** A row that the host made of a series. */
  made(id: MessageId, session: SessionAddress, series: string): MessageTruth {
    const message = { ...this.sent(id, session, series), order: null };
    this.messages.set(id, message);
    return message;
  }

  /** What was under way at a host that was killed will not happen any more. */
  hostGone(): void {
    for (const series of this.serieses.values()) series.underWay = 0;
  }

  // --- what containers do

  started(container: SimContainer): void {
    const { session } = container;
    const others = this.engine.live().filter((one) => one.session === session && one !== container);
    if (others.length > 0) this.world.violate(`two live containers of ${session}`);
    this.#starts.started(container);
  }

  claimed(container: SimContainer, id: MessageId): void {
    const { timeline } = this.world;
    container.claims.set(id, { atMonotonicMs: timeline.monotonicMs, atWallMs: timeline.wallMs });
    const message = this.messages.get(id);
    if (message !== undefined) this.#forgive(message);
    if (message === undefined) this.world.violate(`${container.session} claims ${id}, which nobody sent`);
    else if (message.session !== container.session) this.world.violate(`${id} was claimed by ${container.session}`);
    else if (message.series !== null) this.world.occurrenceBegins(message.session, message.series);
  }

  released(container: SimContainer, id: MessageId): void {
    container.claims.delete(id);
  }

  /** A turn ended with an ack. `end` null: failed without a class. */
  ended(container: SimContainer, id: MessageId, end: 'completed' | ErrorClass | null): void {
    container.claims.delete(id);
    const message = this.messages.get(id);
    if (message === undefined) return;
    if (end === 'completed') message.isCompleted = true;
    else if (end === 'retryable') this.#spend(message);
    else if (end !== 'rate_limited') message.isFinal = true;
  }

  died(container: SimContainer, by: 'self' | 'host' | 'engine'): void {
    const reason = this.#stopReasons.get(`${container.session} ${String(container.epoch)}`) ?? null;
    // What ends by itself while it is being stopped is the host's doing, as far as anybody can tell.
    const isHostCaused =
      by === 'engine' ||
      (by === 'host' && (reason === null || isHostReason(reason as never))) ||
      (by === 'self' && reason !== null && isHostReason(reason as never));
    for (const id of container.claims.keys()) {
      const message = this.messages.get(id);
      if (message === undefined) continue;
      // What the engine or the host ended costs no try; it may cost one where nobody could tell who ended it.
      if (isHostCaused) message.doubtful += 1;
      else {
        message.diedMs = this.world.timeline.monotonicMs;
        this.#spend(message);
      }
    }
    this.#starts.died(container, isHostCaused);
    container.claims.clear();
  }

  /** Whether it died with the engine nobody can tell who learns of it after the engine failed. */
  #forgive(message: MessageTruth): void {
    if (message.diedMs !== null && this.world.engineFailedMs >= message.diedMs) {
      message.spent -= 1;
      message.doubtful += 1;
    }
    message.diedMs = null;
  }

  #spend(message: MessageTruth): void {
    message.spent += 1;
    const most = this.world.settings.maxTries + 1;
    if (message.spent > most)
      this.world.violate(`${message.id} had ${String(message.spent)} turns, the most is ${String(most)}`);
  }

  // --- what the host does

  readonly #stopReasons = new Map<string, string>();

  stopIssued(id: ContainerId, registry: Registry): void {
    const container = this.#requireOurs(id, 'stopped');
    if (container === undefined) return;
    const { session, epoch } = container;
    const reason = registry.findIncarnation(session, epoch)?.stopReason ?? null;
    this.world.note('stop issued', () => `${session} e${String(epoch)}: ${reason ?? 'without reason'}`);
    if (reason === null) {
      this.world.violate(`${session} is stopped without a reason`);
      return;
    }
    this.#stopReasons.set(`${session} ${String(epoch)}`, reason);
    const problem = judgeStop(this.world, container, reason);
    if (problem !== null) this.world.violate(`${session} e${String(epoch)} is stopped (${reason}): ${problem}`);
  }

  removeIssued(id: ContainerId, registry: Registry): void {
    const container = this.#requireOurs(id, 'removed');
    if (container === undefined) return;
    const { session, epoch } = container;
    const reason = registry.findIncarnation(session, epoch)?.stopReason ?? null;
    if (reason !== null) this.#stopReasons.set(`${session} ${String(epoch)}`, reason);
  }

  #requireOurs(id: ContainerId, what: string): SimContainer | undefined {
    if (this.engine.others().some((one) => one.id === id)) this.world.violate(`another install's container is ${what}`);
    const found = this.engine.find(id);
    return found?.isDead === true ? undefined : found;
  }

  /** The session is about to be closed, because nothing has happened in it for long. */
  closingAsIdle(session: SessionAddress): void {
    this.world.note('closed as idle', () => session);
    for (const message of this.#waitingIn(session)) {
      this.world.violate(`${session} is closed as idle, and ${message.id} waits in it`);
    }
    this.#requireNoContainer(session, 'closed as idle');
  }

  /** The session is about to be deleted, with all it has. */
  deleting(session: SessionAddress, record: SessionRecord | undefined): void {
    if (record === undefined) return;
    const { timeline, settings } = this.world;
    this.world.note('deleted', () => session);
    const closedForMs = timeline.wallMs - (record.closedAtMs ?? Infinity);
    if (record.status !== 'closed' || closedForMs <= settings.sessionDeleteAfterMs) {
      this.world.violate(`${session} is deleted, ${record.status} for ${String(closedForMs)} ms`);
    }
    // What an operator closed he may still reopen, and did not.
    if (record.closeReason === 'idle') {
      for (const message of this.#waitingIn(session)) {
        this.world.violate(`${session} is deleted, and ${message.id} waits in it`);
      }
    }
    this.#requireNoContainer(session, 'deleted');
    // What was refused before is sent again, into the session that comes under its name.
    for (const message of this.messages.values()) {
      if (message.session === session && (message.isConfirmed || message.isInFile)) message.isGone = true;
    }
    for (const series of this.serieses.values()) {
      if (series.session === session) Object.assign(series, { state: 'unknown', isTouched: true });
    }
    this.#starts.forget(session);
    for (const key of this.#stopReasons.keys()) if (key.startsWith(`${session} `)) this.#stopReasons.delete(key);
  }

  #waitingIn(session: SessionAddress): readonly MessageTruth[] {
    return this.unfinished().filter((message) => message.session === session && message.isConfirmed);
  }

  #requireNoContainer(session: SessionAddress, what: string): void {
    if (this.engine.live().some((one) => one.session === session)) {
      this.world.violate(`${session} is ${what} although its container runs`);
    }
  }

  /** The operator let a held session go. */
  guardReleased(session: SessionAddress): void {
    this.#starts.released(session);
  }

  /** The host wrote to the session's files, or tried to. */
  readFiles(session: SessionAddress): void {
    auditFile(this, session);
  }

  /** Messages that have not ended. */
  unfinished(): readonly MessageTruth[] {
    return [...this.messages.values()].filter(
      ({ ended, isConfirmed, isInFile, isGone }) => ended === null && !isGone && (isConfirmed || isInFile),
    );
  }
}
