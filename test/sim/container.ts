import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { chooseTurn } from '../../container/agent-runner/src/choose.js';
import { lookAtInbound } from '../../container/agent-runner/src/inbound.js';
import { Outbound, Superseded } from '../../container/agent-runner/src/outbound.js';
import type { Message, Outcome } from '../../container/agent-runner/src/provider.js';
import type { ContainerSpec } from '../../src/ports/runtime.js';
import type { Epoch, MessageId, SessionAddress } from '../../src/protocol/address.js';
import type { ErrorClass } from '../../src/protocol/rows.js';
import { RUNNER_ENV } from '../../src/protocol/workspace.js';
import type { SimEngine } from './engine.js';
import { ForeignFiles } from './foreign-files.js';
import type { TurnHabit } from './habits.js';
import { silenceLimitMs } from './stop-audit.js';
import type { Owner } from './timeline.js';
import type { World } from './world.js';

export interface HeldClaim {
  readonly atMonotonicMs: number;
  readonly atWallMs: number;
}

export interface Beat {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

type Finish = Exclude<Outcome, { kind: 'unfinished' }>;

const POLL_MS = 1_500;
const BEATS_KEPT = 5;
const LISTED_ERRORS: Readonly<Partial<Record<TurnHabit, ErrorClass>>> = {
  fails_retryable: 'retryable',
  fails_fatal: 'fatal',
};

/**
 * A container that lives in simulated time, works on the real files of its session, and does what the seed makes it do.
 * Our own runner's reading, choosing and writing are the real ones; a foreign one knows no attempts.
 */
export class SimContainer implements Owner {
  readonly session: SessionAddress;
  readonly epoch: Epoch;
  readonly isForeign: boolean;
  readonly startedMonotonicMs: number;
  startedWallMs: number;
  isDead = false;
  frozenUntilMs = 0;
  hasClaimed = false;
  /** When a change of its heartbeat was there to be seen, its start first; of late ones the last few. */
  beats: readonly Beat[];
  progressMonotonicMs: number;
  /** Timeout of the tool that runs, as declared; null: none. */
  tool: { readonly timeoutMs: number; readonly sinceMonotonicMs: number; readonly sinceWallMs: number } | null = null;
  readonly claims = new Map<MessageId, HeldClaim>();
  readonly heartbeatMs: number;
  readonly #world: World;
  readonly #engine: SimEngine;
  readonly #maxClaims: number;
  readonly #outbound: Outbound;
  readonly #foreign: ForeignFiles;
  readonly #ignoresTerm: boolean;
  readonly #neverClaims: boolean;
  readonly #lies: boolean;
  #isSilent = false;
  #turn: readonly Message[] = [];
  #seenVersion: string | null = null;
  #nextDueMs: number | null = null;
  #answers = 0;

  constructor(world: World, engine: SimEngine, spec: ContainerSpec) {
    const { chance, habits, timeline } = world;
    this.#world = world;
    this.#engine = engine;
    this.session = spec.session;
    this.epoch = spec.epoch;
    this.startedMonotonicMs = timeline.monotonicMs;
    this.startedWallMs = timeline.wallMs;
    this.beats = [{ monotonicMs: this.startedMonotonicMs, wallMs: this.startedWallMs }];
    this.progressMonotonicMs = this.startedMonotonicMs;
    this.heartbeatMs = Number(spec.environment[RUNNER_ENV.heartbeatMs]);
    this.#maxClaims = Number(spec.environment[RUNNER_ENV.maxClaims]);
    this.isForeign = engine.isForeign(this.session);
    this.#ignoresTerm = chance.is(habits.ignoresTerm);
    this.#neverClaims = chance.is(habits.neverClaims);
    this.#lies = chance.is(habits.liesAboutHeartbeat);
    const { outbound, inbound } = world.paths(this.session);
    this.#outbound = new Outbound(outbound, { epoch: this.epoch, heartbeatMs: this.heartbeatMs });
    this.#foreign = new ForeignFiles(inbound, outbound);
  }

  boot(): void {
    const { chance, habits } = this.#world;
    this.#world.note(
      'container starts',
      () => `${this.session} e${String(this.epoch)}${this.isForeign ? ' foreign' : ''}`,
    );
    if (chance.is(habits.diesAtStart)) {
      this.#after(chance.int(0, 900), () => {
        this.exit({ exitCode: 1 });
      });
      return;
    }
    if (chance.is(habits.runsOutOfMemory)) {
      this.#after(chance.int(0, 20_000), () => {
        this.exit({ exitCode: 137, oomKilled: true });
      });
    }
    this.#after(chance.int(30, 1_500), () => {
      if (!this.isForeign)
        this.#write(() => {
          this.#outbound.declare();
        });
      this.#beat();
      this.#poll();
    });
  }

  /** Nothing of it can have been later than a clock that was set back says: ages count from then on. */
  clockSet(wallMs: number): void {
    this.beats = this.beats.map((beat) => ({ ...beat, wallMs: Math.min(beat.wallMs, wallMs) }));
    this.startedWallMs = Math.min(this.startedWallMs, wallMs);
    if (this.tool !== null) this.tool = { ...this.tool, sinceWallMs: Math.min(this.tool.sinceWallMs, wallMs) };
    for (const [id, claim] of this.claims) {
      this.claims.set(id, { ...claim, atWallMs: Math.min(claim.atWallMs, wallMs) });
    }
  }

  // --- its ends

  /** It ends by itself. */
  exit(exit: { readonly exitCode: number; readonly oomKilled?: boolean }): void {
    if (this.isDead) return;
    this.#end('self', exit);
  }

  kill(by: 'self' | 'host' | 'engine'): void {
    if (this.isDead) return;
    this.#end(by, { exitCode: 137 });
  }

  /** TERM, and KILL after the grace. Resolves when it is gone. */
  term(graceMs: number): Promise<void> {
    if (this.isDead) return Promise.resolve();
    const { chance, timeline } = this.#world;
    const isHeard = graceMs > 0 && !this.#ignoresTerm && this.frozenUntilMs <= timeline.monotonicMs;
    const delayMs = isHeard ? Math.min(graceMs, chance.int(5, 400)) : graceMs;
    return new Promise((resolve) => {
      timeline.at(delayMs, null, () => {
        if (isHeard && !this.isDead) this.#leave();
        this.kill('host');
        resolve();
      });
    });
  }

  /** It is in a turn, and will not be done with it soon. */
  get hangs(): boolean {
    return (
      this.#turn.length > 0 || this.#neverClaims || this.#lies || this.frozenUntilMs > this.#world.timeline.monotonicMs
    );
  }

  freeze(forMs: number): void {
    this.frozenUntilMs = this.#world.timeline.monotonicMs + forMs;
  }

  /** Gives back what it claimed, and goes. */
  #leave(): void {
    if (this.#turn.length > 0 && !this.isForeign) {
      const isReleased = this.#write(() => {
        this.#outbound.release(this.#turn, null, this.#world.timeline.wallMs);
      });
      if (isReleased) {
        for (const { id } of this.#turn) this.#engine.truth.released(this, id as MessageId);
        this.claims.clear();
      }
    }
    this.#end('host', { exitCode: 0 });
  }

  #end(by: 'self' | 'host' | 'engine', exit: { readonly exitCode: number; readonly oomKilled?: boolean }): void {
    this.isDead = true;
    const lock = this.#world.locks.get(this.session);
    if (lock?.byEpoch === this.epoch) this.#world.locks.delete(this.session);
    this.#world.note(
      'container ends',
      () => `${this.session} e${String(this.epoch)} by ${by} ${String(exit.exitCode)}`,
    );
    this.#engine.truth.died(this, by);
    this.#engine.runtime.exit(this.session, exit);
  }

  // --- its life

  #after(delayMs: number, run: () => void): void {
    this.#world.timeline.at(delayMs, this, run);
  }

  #beat(): void {
    const { timeline } = this.#world;
    if (!this.#isSilent) {
      const path = this.#world.paths(this.session).heartbeat;
      const year = 365 * 24 * 3_600_000;
      const atMs = this.#lies ? this.startedWallMs + year : timeline.wallMs;
      if (!this.#world.isDiskFull || existsSync(path)) {
        if (!existsSync(path)) writeFileSync(path, '');
        utimesSync(path, atMs / 1_000, atMs / 1_000);
        // One that always says the same is seen to change once.
        if (!this.#lies || this.beats.length === 1) this.#hasBeaten();
      }
    }
    // A foreign one beats when its provider says something.
    if (!this.isForeign)
      this.#after(this.heartbeatMs, () => {
        this.#beat();
      });
  }

  #hasBeaten(): void {
    const { monotonicMs, wallMs } = this.#world.timeline;
    this.beats = [...this.beats.slice(-BEATS_KEPT), { monotonicMs, wallMs }];
  }

  #poll(): void {
    const { timeline } = this.#world;
    const version = this.#world.version(this.session);
    const hasNews = version !== this.#seenVersion || (this.#nextDueMs !== null && this.#nextDueMs <= timeline.wallMs);
    const isQuietNow = this.#turn.length > 0 || (this.#neverClaims && !this.hasClaimed);
    if (hasNews && !isQuietNow && this.#world.lockOf(this.session) === undefined && !this.#world.isDiskFull) {
      this.#seenVersion = version;
      if (this.isForeign) this.#beat();
      const messages = this.#claim();
      if (messages.length > 0) this.#work(messages);
    }
    this.#after(POLL_MS, () => {
      this.#poll();
    });
  }

  #claim(): readonly Message[] {
    const nowMs = this.#world.timeline.wallMs;
    const messages = this.isForeign ? this.#foreign.claim(nowMs) : this.#claimOwn(nowMs);
    if (messages.length === 0) return [];
    this.#turn = messages;
    this.hasClaimed = true;
    this.progressMonotonicMs = this.#world.timeline.monotonicMs;
    this.#world.touch(this.session);
    this.#world.note(
      'claims',
      () => `${this.session} e${String(this.epoch)}: ${messages.map(({ id }) => id).join(' ')}`,
    );
    for (const { id } of messages) this.#engine.truth.claimed(this, id as MessageId);
    return messages;
  }

  #claimOwn(nowMs: number): readonly Message[] {
    const look = this.#outbound.withAcks((isAcked) =>
      lookAtInbound(this.#world.paths(this.session).inbound, (pending) => {
        const choice = chooseTurn(pending, { nowMs, maxClaims: this.#maxClaims, isOnWakeGiven: () => true, isAcked });
        this.#nextDueMs = choice.nextDueAtMs;
        return choice;
      }),
    );
    if (look.kind !== 'read' || look.messages.length === 0) return [];
    this.#outbound.claim(look.messages, nowMs);
    return look.messages;
  }

  #work(messages: readonly Message[]): void {
    const { chance, habits, isQuiet } = this.#world;
    const habit = isQuiet ? 'completes' : chance.weighted(habits.turns);
    const forMs = isQuiet ? 300 : chance.pick([chance.int(50, 2_000), chance.int(2_000, 40_000)]);
    this.#world.note('turn', () => `${this.session}: ${habit}`);
    switch (habit) {
      case 'completes':
      case 'dies_after_answer':
        this.#after(forMs, () => {
          this.#complete(messages, habit === 'dies_after_answer');
        });
        return;
      case 'fails_retryable':
      case 'fails_fatal':
      case 'fails_unclassed':
      case 'rate_limited':
        this.#after(forMs, () => {
          this.#fail(messages, habit);
        });
        return;
      case 'dies':
        this.#after(forMs, () => {
          this.exit({ exitCode: chance.pick([1, 139]) });
        });
        return;
      case 'falls_silent':
        this.#after(forMs, () => {
          this.#isSilent = true;
        });
        return;
      case 'falls_silent_for_a_while':
        this.#silence(chance.int(30_000, 240_000), messages);
        return;
      case 'falls_silent_until_news':
        this.#awaitNews(messages);
        return;
      case 'makes_no_progress':
        return;
      case 'uses_tool':
        this.#useTool(messages);
        return;
      case 'locks_file':
        this.#lock(messages);
        return;
    }
  }

  #silence(forMs: number, messages: readonly Message[]): void {
    this.#isSilent = true;
    this.#after(forMs, () => {
      this.#isSilent = false;
      this.#beat();
      this.#after(this.#world.chance.int(100, 30_000), () => {
        this.#complete(messages, false);
      });
    });
  }

  /** Fast asleep for as long as that is let pass; from then on what changes in its inbox wakes it. */
  #awaitNews(messages: readonly Message[]): void {
    this.#isSilent = true;
    const limitMs = silenceLimitMs(this, this.#world.settings.staleThresholdMs);
    this.#world.waitsForNews(this.session, limitMs);
    this.#after(limitMs, () => {
      this.#wakeOnNews(messages, this.#world.version(this.session));
    });
  }

  #wakeOnNews(messages: readonly Message[], before: string | null): void {
    if (this.#world.version(this.session) === before) {
      this.#after(POLL_MS, () => {
        this.#wakeOnNews(messages, before);
      });
      return;
    }
    this.#isSilent = false;
    this.#beat();
    this.#world.note('woken by news', () => this.session);
    this.#after(this.#world.chance.int(5_000, 60_000), () => {
      this.#complete(messages, false);
    });
  }

  #useTool(messages: readonly Message[]): void {
    const { chance, timeline } = this.#world;
    const timeoutMs = chance.pick([30_000, 120_000, 1e12, 1e12, -5]);
    const lastsMs = chance.pick([chance.int(1_000, 20_000), chance.int(20_000, 400_000), null, null]);
    const startedAtMs = timeline.wallMs;
    const isDeclared = this.#write(() => {
      if (this.isForeign) this.#foreign.tool({ name: 'Bash', timeoutMs, startedAtMs }, startedAtMs);
      else this.#outbound.tool({ name: 'Bash', timeoutMs, startedAtMs });
    });
    if (isDeclared) this.tool = { timeoutMs, sinceMonotonicMs: timeline.monotonicMs, sinceWallMs: timeline.wallMs };
    this.#isSilent = this.isForeign || chance.is(0.3);
    if (lastsMs === null) return;
    this.#after(lastsMs, () => {
      this.#isSilent = false;
      this.#beat();
      this.#complete(messages, false);
    });
  }

  #lock(messages: readonly Message[]): void {
    const { chance, timeline, locks } = this.#world;
    const forMs = chance.pick([chance.int(500, 10_000), Number.MAX_SAFE_INTEGER]);
    locks.set(this.session, { untilMs: timeline.monotonicMs + forMs, byEpoch: this.epoch });
    if (forMs < Number.MAX_SAFE_INTEGER)
      this.#after(forMs + 1, () => {
        this.#complete(messages, false);
      });
  }

  #complete(messages: readonly Message[], thenDies: boolean): void {
    const answers = messages
      .filter(({ trigger }) => trigger)
      .map((to) => ({ to, text: 'ok', id: `${this.session}-${String(this.epoch)}-${String((this.#answers += 1))}` }));
    if (thenDies && this.isForeign) {
      this.#write(() => {
        this.#foreign.answer(answers, this.#world.timeline.wallMs);
      });
      this.exit({ exitCode: 1 });
      return;
    }
    this.#finish(messages, { kind: 'completed', answers, providerSession: null }, thenDies);
  }

  #fail(messages: readonly Message[], habit: TurnHabit): void {
    const { chance, timeline } = this.#world;
    const errorClass = habit === 'rate_limited' ? 'rate_limited' : (LISTED_ERRORS[habit] ?? null);
    const retryAtMs =
      habit === 'rate_limited' && chance.is(0.7) ? timeline.wallMs + chance.int(-10_000, 120_000) : null;
    // Our own runner always names a class; a foreign one may not.
    const named = errorClass ?? (this.isForeign ? null : 'fatal');
    this.#finish(messages, { kind: 'failed', error: 'simulated', errorClass: named as ErrorClass, retryAtMs }, false);
  }

  #finish(messages: readonly Message[], outcome: Finish, thenDies: boolean): void {
    if (this.#turn !== messages) return;
    if (this.#world.lockOf(this.session)?.byEpoch === null || this.#world.isDiskFull) {
      this.#after(1_000, () => {
        this.#finish(messages, outcome, thenDies);
      });
      return;
    }
    const nowMs = this.#world.timeline.wallMs;
    const isWritten = this.#write(() => {
      if (this.isForeign) this.#foreign.finish(messages, outcome, nowMs);
      else this.#outbound.finish(messages, { outcome, session: null, usage: null }, nowMs);
    });
    if (!isWritten) return;
    this.#turn = [];
    this.tool = null;
    this.#seenVersion = null;
    if (this.isForeign) this.#beat();
    this.progressMonotonicMs = this.#world.timeline.monotonicMs;
    const end = outcome.kind === 'completed' ? 'completed' : (outcome.errorClass as ErrorClass | null);
    for (const { id } of messages) this.#engine.truth.ended(this, id as MessageId, end);
    if (thenDies) this.exit({ exitCode: 1 });
  }

  /** False: it could not be written; what cannot be put right ends the container, as it ends a real runner. */
  #write(work: () => void): boolean {
    if (this.#world.isDiskFull || this.#world.lockOf(this.session)?.byEpoch === null) return false;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Superseded)) throw error;
      this.exit({ exitCode: 75 });
      return false;
    }
    this.#world.touch(this.session);
    return true;
  }
}
