import type { MissedPolicy } from '../../../src/protocol/rows.js';
import { claimsOf, dueOf, isFree, MINUTE_MS, newMessage, newSession, SECOND_MS } from './rows.js';
import type { Container, Limit, Message, NewMessage, Outcome, Session } from './rows.js';
import { catchUp, hourAfter, successors } from './series.js';

/** What the system is told, by the names of its settings; small, so that a few steps lead to every limit. */
export const LIMITS = {
  ...{ MAX_TRIES: 2, BACKOFF_BASE_MS: 5 * SECOND_MS, MAX_CLAIMS: 3 },
  ...{ GUARD_MAX_RESTARTS: 2, GUARD_PROBE_MS: 15 * MINUTE_MS, SWEEP_INTERVAL_MS: MINUTE_MS },
  ...{ START_GRACE_MS: MINUTE_MS, IDLE_TIMEOUT_MS: 5 * MINUTE_MS, NOT_CLAIMING_MS: 5 * MINUTE_MS },
  ...{ NO_PROGRESS_MS: 30 * MINUTE_MS, CLAIM_STUCK_MS: MINUTE_MS },
} as const;
/** Our own runner says that it beats every 10 s: after six of these without a beat it is stale. */
const STALE_MS = MINUTE_MS;
const RATE_LIMIT_MS = MINUTE_MS;
const MOST_DEAD_IN_A_ROW = 3;

/** What its users are promised of the whole system, said as plainly as possible. */
export class Model {
  nowMs: number;
  sent = 0;
  readonly sessions = new Map<string, Session>();
  #lastRoundMs: number | null = null;
  /** The last round came so late that the machine may have slept: silence counts from the next one on. */
  wasLate = false;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  // --- what people ask for; false: it is refused

  send(name: string, { wakes = true, afterMs = 0 }: { readonly wakes?: boolean; readonly afterMs?: number }): boolean {
    return this.#accept(name, { id: `m${this.sent}`, wakes, dueMs: this.nowMs + afterMs });
  }

  sendSeries(name: string, missed: MissedPolicy): boolean {
    const atMs = hourAfter(this.nowMs - 1);
    const id = `m${this.sent}`;
    return this.#accept(name, { id, series: { id, missed }, isLive: true, dueMs: atMs, occurrenceMs: atMs });
  }

  #accept(name: string, message: NewMessage): boolean {
    const one = this.sessions.get(name) ?? newSession(name);
    if (one.status === 'closed') return false;
    this.sent += 1;
    this.sessions.set(name, one);
    return one.messages.push(newMessage(message)) > 0;
  }

  change(one: Session, verb: 'suspend' | 'resume' | 'close' | 'reopen' | 'release'): boolean {
    const never = { suspend: 'closed', resume: 'closed', close: null, reopen: 'suspended', release: null } as const;
    if (one.status === never[verb]) return false;
    if (verb !== 'release') one.status = verb === 'suspend' ? 'suspended' : verb === 'close' ? 'closed' : 'active';
    else if (one.held !== null) Object.assign(one, { held: null, fruitless: 0, notBeforeMs: 0, deadInARow: 0 });
    return true;
  }

  /** A dead letter is had again with all its tries, as its next attempt. */
  retry(one: Session, dead: Message): boolean {
    if (one.status === 'closed') return false;
    this.#busy(one);
    rearm(dead, this.nowMs, { status: 'pending', tries: 0, deferrals: 0, reason: null });
    return true;
  }

  /** What is under way is finished, whatever becomes of its series; what fell into a pause is not made up for. */
  changeSeries(one: Session, live: Message, verb: 'pause' | 'resume' | 'cancel'): boolean {
    if (one.status === 'closed' && verb === 'resume') return false;
    if (verb === 'pause') live.status = 'paused';
    if (verb === 'resume' && live.status === 'paused') {
      live.status = 'pending';
      const nextMs = Math.max(live.occurrenceMs ?? 0, hourAfter(this.nowMs));
      if (!live.isClaimed) Object.assign(live, { occurrenceMs: nextMs, dueMs: nextMs, tries: 0, deferrals: 0 });
    }
    if (verb === 'cancel') {
      Object.assign(live, { isLive: false, status: 'pending' });
      if (!live.isClaimed) this.#busy(one);
      if (!live.isClaimed) this.#over(one, live, 'completed', 'cancelled');
    }
    return true;
  }

  // --- what containers do

  /** Oldest due first, what was tried before alone; what wakes nobody rides along with what came after it. */
  claim(one: Session): string[] {
    const due = dueOf(one, this.nowMs);
    const tried = due.findIndex(({ tries }) => tries > 0);
    const batch = due.slice(0, Math.min(tried === -1 ? Infinity : Math.max(tried, 1), LIMITS.MAX_CLAIMS));
    const before = (turn: readonly Message[]): Message[] =>
      one.messages
        .slice(0, Math.max(0, ...turn.map((message) => one.messages.indexOf(message))))
        .filter((message) => !message.wakes && isFree(message) && message.dueMs <= this.nowMs);
    const chosen = before(batch).some(({ tries }) => tries > 0) ? batch.slice(0, 1) : batch;
    const turn = [...before(chosen), ...chosen];
    for (const message of turn) Object.assign(message, { isClaimed: true, begunMs: this.nowMs });
    if (turn.length > 0) this.#claimed(one);
    return turn.map(({ id }) => id);
  }

  /** Its turn ends with an ack. */
  end(one: Session, outcome: Outcome): void {
    this.#busy(one);
    const turn = claimsOf(one);
    const asked = turn.filter(({ wakes }) => wakes).sort((a, b) => a.dueMs - b.dueMs);
    if (outcome === 'completed') this.#completed(one, asked);
    for (const message of turn) {
      message.isClaimed = false;
      const { deferrals } = message;
      if (outcome === 'completed') this.#over(one, message, 'completed', null);
      if (outcome === 'fatal') this.#over(one, message, 'failed', 'fatal');
      if (outcome === 'retryable') this.#spendTry(one, message);
      if (outcome !== 'rate_limited') continue;
      rearm(message, this.nowMs + RATE_LIMIT_MS * 2 ** deferrals, { deferrals: deferrals + 1 });
    }
    if (outcome === 'rate_limited') this.#limited(one, Math.max(...turn.map(({ dueMs }) => dueMs)));
    if (outcome === 'completed' && one.limit?.isTrying === true) one.limit = null;
  }

  /** It ends in the middle of whatever it does: the turn is not over, and costs a try. */
  die(one: Session): void {
    if (one.container === null) return;
    one.container.isGone = true;
    for (const message of claimsOf(one)) {
      message.isClaimed = false;
      this.#spendTry(one, message);
      if (message.status === 'failed') one.deadInARow += 1;
    }
    if (one.container.hasClaimed) this.#claimed(one);
    else this.#wasFruitless(one);
    if (one.deadInARow >= MOST_DEAD_IN_A_ROW) this.#hold(one, 'settled_failures');
  }

  goSilent({ container }: Session): void {
    if (container !== null) container.silentSinceMs = this.nowMs;
  }

  // --- what the host does

  /** It is gone: the next one has seen nothing of what runs. */
  hostDies(): void {
    this.#lastRoundMs = null;
    for (const one of this.sessions.values()) {
      this.unseen(one);
      if (one.container === null) continue;
      one.container.sinceMs = this.nowMs;
      if (one.container.silentSinceMs !== null) one.container.silentSinceMs = this.nowMs;
    }
  }

  /** Nobody can tell when its turn began. */
  unseen(one: Session): void {
    for (const message of claimsOf(one)) message.begunMs = this.nowMs;
  }

  /** What runs is taken over, but for what belongs to a closed session. */
  hostStarts(): void {
    for (const one of this.sessions.values()) {
      if (one.status === 'closed' && one.container?.isGone === false) this.#stop(one);
    }
  }

  /** It does all that there is to do now. */
  rest(): void {
    this.wasLate = this.#lastRoundMs !== null && this.nowMs - this.#lastRoundMs > 3 * LIMITS.SWEEP_INTERVAL_MS;
    for (const one of this.sessions.values()) {
      if (one.container?.isGone === false) this.#judge(one, one.container);
      if (one.container?.isGone !== false) this.#wake(one);
    }
    this.#lastRoundMs = this.nowMs;
  }

  /** Stops what is stuck, at the cost of a try or a start, and what has nothing to do. */
  #judge(one: Session, container: Container): void {
    const isOver = (sinceMs: number, limitMs: number): boolean => this.nowMs - sinceMs > limitMs;
    const due = dueOf(one, this.nowMs);
    const does = claimsOf(one).length > 0 ? 'turn' : due.length > 0 ? 'due' : 'idle';
    if (container.does !== does) Object.assign(container, { does, sinceMs: this.nowMs });
    const { sinceMs, silentSinceMs, startedMs } = container;
    const isSilent = silentSinceMs !== null && isOver(silentSinceMs, STALE_MS) && !this.wasLate;
    const isSettled = isOver(startedMs, LIMITS.START_GRACE_MS);
    const hangs = does === 'turn' && (isSilent || isOver(sinceMs, LIMITS.NO_PROGRESS_MS));
    const waitsMs = Math.max(sinceMs, due[0]?.dueMs ?? 0);
    const isLazy = does === 'due' && isOver(waitsMs, LIMITS.NOT_CLAIMING_MS);
    const isIdle = does === 'idle' && isOver(sinceMs, LIMITS.IDLE_TIMEOUT_MS);
    if ((hangs || isLazy) && isSettled) {
      one.told.add(hangs ? 'stopped' : 'not_claiming');
      this.die(one);
    } else if (does !== 'turn' && (one.status !== 'active' || (isIdle && isSettled))) this.#stop(one);
  }

  /** For the host's own reasons, which cost neither a try nor a start. */
  #stop(one: Session): void {
    one.container = null;
    for (const message of claimsOf(one)) rearm(message, this.nowMs, { isClaimed: false });
  }

  #wake(one: Session): void {
    one.container = null;
    for (const message of one.messages) catchUp(message, this.nowMs);
    const notBeforeMs = one.held === null ? one.notBeforeMs : one.probeMs;
    if (dueOf(one, this.nowMs).length === 0 || one.status !== 'active' || notBeforeMs > this.nowMs) return;
    if (!this.#mayTry(one)) return;
    if (one.held !== null) one.probeMs = this.nowMs + LIMITS.GUARD_PROBE_MS;
    one.epoch += 1;
    const since = { startedMs: this.nowMs, sinceMs: this.nowMs, silentSinceMs: null };
    one.container = { ...since, isGone: false, hasClaimed: false, does: 'due' };
  }

  /** A third of the time later, and two thirds, it is tried whether the provider still limits; not within a minute. */
  #limited(one: Session, retryMs: number): void {
    const known = one.limit !== null && this.nowMs < one.limit.untilMs ? one.limit : null;
    const sinceMs = known?.sinceMs ?? this.nowMs;
    const untilMs = Math.max(known?.untilMs ?? 0, retryMs);
    const nextMs = Math.max(known?.nextMs ?? 0, this.nowMs + pauseOf({ sinceMs, untilMs }));
    one.limit = { sinceMs, untilMs, nextMs, isTrying: false };
  }

  #mayTry(one: Session): boolean {
    if (one.limit === null) return true;
    const { isTrying, nextMs, untilMs } = one.limit;
    if (!isTrying && this.nowMs < Math.min(nextMs, untilMs)) return false;
    one.limit = { ...one.limit, isTrying: true, nextMs: this.nowMs + pauseOf(one.limit) };
    return true;
  }

  // --- what becomes of messages, and of sessions whose containers or messages fail over and over

  #spendTry(one: Session, message: Message): void {
    const { tries } = message;
    if (tries === LIMITS.MAX_TRIES) this.#over(one, message, 'failed', 'tries_spent');
    else rearm(message, this.nowMs + LIMITS.BACKOFF_BASE_MS * 2 ** tries, { tries: tries + 1 });
  }

  #over(one: Session, message: Message, status: 'completed' | 'failed', reason: string | null): void {
    if (message.isLive) one.messages.push(...successors(message, this.nowMs));
    Object.assign(message, { status, reason, endedMs: this.nowMs, isLive: false });
  }

  #completed(one: Session, turn: readonly Message[]): void {
    one.answered.push(...turn.map(({ id }) => id));
    one.deadInARow = 0;
    if (one.held === 'settled_failures') one.held = null;
  }

  #claimed(one: Session): void {
    if (one.container !== null) one.container.hasClaimed = true;
    Object.assign(one, { fruitless: 0, notBeforeMs: 0 });
    if (one.held === 'fruitless_starts') one.held = null;
  }

  #wasFruitless(one: Session): void {
    one.fruitless += 1;
    one.notBeforeMs = this.nowMs + SECOND_MS * 2 ** (one.fruitless - 1);
    if (one.fruitless > LIMITS.GUARD_MAX_RESTARTS) this.#hold(one, 'fruitless_starts');
  }

  #hold(one: Session, reason: NonNullable<Session['held']>): void {
    if (one.held === null) Object.assign(one, { held: reason, probeMs: this.nowMs + LIMITS.GUARD_PROBE_MS });
  }

  /** Something was done just now: its container was not idle. */
  #busy({ container }: Session): void {
    if (container !== null && container.does !== 'turn') container.sinceMs = this.nowMs;
  }
}

function rearm(message: Message, dueMs: number, more: Partial<Message>): void {
  Object.assign(message, { dueMs, attempt: message.attempt + 1, ...more });
}

function pauseOf({ sinceMs, untilMs }: Pick<Limit, 'sinceMs' | 'untilMs'>): number {
  return Math.max(RATE_LIMIT_MS, Math.ceil((untilMs - sinceMs) / 3));
}
