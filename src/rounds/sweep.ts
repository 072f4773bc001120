import { isStale } from '../core/plan/judge.js';
import { stalenessWaits } from '../core/plan/fleet.js';
import type { SessionAddress } from '../protocol/address.js';
import type { SweepAction, SweepReport } from '../ports/rounds.js';
import type { Hints } from './hints.js';
import { containerFacts, filesObservation } from './observe.js';
import type { Pass, Porter } from './porter.js';
import { reconcile } from './reconcile.js';
import type { Room } from './room.js';

/** Looks begun side by side; the file workers are the real limit. */
const SIDE_BY_SIDE = 16;

export interface SweepOptions {
  /** Look at every active session, whatever the gate says: a round that runs by itself. */
  readonly everySession: boolean;
}

/** One bounded pass over all sessions. */
export class Sweep {
  readonly #porter: Porter;
  readonly #hints: Hints;
  readonly #room: Room;
  readonly #look: (session: SessionAddress, pass: Pass) => Promise<void>;
  #lastMonotonicMs: number | null = null;
  #lastWallMs: number | null = null;
  /** SWEEP_INTERVAL_MS of the last round: the next may have been planned by it. */
  #lastIntervalMs = 0;
  #driftAfter: SessionAddress | undefined;
  #stale: ReadonlySet<SessionAddress> = new Set();

  constructor(options: {
    porter: Porter;
    hints: Hints;
    room: Room;
    look: (session: SessionAddress, pass: Pass) => Promise<void>;
  }) {
    this.#porter = options.porter;
    this.#hints = options.hints;
    this.#room = options.room;
    this.#look = options.look;
  }

  async run(options: SweepOptions): Promise<SweepReport> {
    const { clock, registry } = this.#porter;
    const startedAtMs = clock.now();
    const startedMonotonicMs = clock.monotonic();
    const late = this.#lateness(startedAtMs, startedMonotonicMs);
    const actions: SweepAction[] = [];
    const failed = new Set<SessionAddress>();
    const record = (action: SweepAction): void => {
      actions.push(action);
    };
    await reconcile(this.#porter, record);
    const stale = await this.#countStale();
    const waits = stalenessWaits({ ...stale, ...late }, { sweepIntervalMs: this.#porter.settings().sweepIntervalMs });
    this.#tellWaits(waits);
    const pass: Pass = { kind: 'round', stalenessWaits: waits, record, error: (session) => failed.add(session) };
    const sessions = await this.#candidates(options);
    await this.#lookAtAll(sessions, pass);
    this.#room.dispatch();
    this.#porter.providers.tidy();
    const { active } = registry.totals().sessions;
    return {
      startedAtMs,
      durationMs: clock.monotonic() - startedMonotonicMs,
      swept: sessions.size,
      skipped: Math.max(0, active - sessions.size),
      errors: failed.size,
      actions,
    };
  }

  #lateness(wallMs: number, monotonicMs: number): { readonly roundLateMs: number; readonly wallJumpMs: number } {
    const sinceMs = this.#lastMonotonicMs === null ? 0 : monotonicMs - this.#lastMonotonicMs;
    const wallSinceMs = this.#lastWallMs === null ? 0 : wallMs - this.#lastWallMs;
    this.#lastMonotonicMs = monotonicMs;
    this.#lastWallMs = wallMs;
    const { sweepIntervalMs } = this.#porter.settings();
    const plannedMs = Math.max(sweepIntervalMs, this.#lastIntervalMs);
    this.#lastIntervalMs = sweepIntervalMs;
    return {
      roundLateMs: Math.max(0, sinceMs - plannedMs),
      wallJumpMs: wallSinceMs - sinceMs,
    };
  }

  /** Looks at what runs, so that a fleet gone silent at once is told from one that hangs. */
  async #countStale(): Promise<{ readonly running: number; readonly stale: number }> {
    const running = this.#porter.fleet.running();
    const silent = new Set<SessionAddress>();
    let stale = 0;
    for (const { session, container, one } of running) {
      const record = this.#porter.registry.findSession(session);
      if (record === undefined || record.quarantine !== null || one.inFlight !== null) continue;
      const look = async (): Promise<boolean> => {
        const facts = containerFacts(this.#porter, record, one, container);
        const lane = one.busyLooks > 0 ? 'slow' : 'normal';
        const outcome = await this.#porter.files.look(session, { nowMs: this.#porter.clock.now(), lane });
        if (outcome.kind !== 'ok' || facts.kind !== 'running') return false;
        const files = filesObservation(this.#porter, one, facts, outcome);
        if (files.kind !== 'read') return false;
        return isStale(files.memory, facts, this.#porter.policy(record), {
          nowMs: this.#porter.clock.now(),
          monotonicMs: this.#porter.clock.monotonic(),
        });
      };
      // What cannot be read at all is told of by its own look.
      const isSilent = await this.#hints.alone(session, () => look().catch(() => false));
      if (!isSilent) continue;
      silent.add(session);
      // Who was stale in the last round already had its round of waiting.
      if (!this.#stale.has(session)) stale += 1;
    }
    this.#stale = silent;
    return { running: running.length, stale };
  }

  #tellWaits(waits: Pass['stalenessWaits']): void {
    const { notices } = this.#porter;
    if (waits === 'mass_stale') {
      notices.raise(
        'mass_stale',
        null,
        'more than half of the running containers went silent at once: stops for staleness wait one round; check the disk and the machine',
      );
    } else notices.settle('mass_stale', null);
    if (waits === 'clock_jump' || waits === 'late_round') {
      notices.raise('clock_jump', null, 'the clock jumped or the machine slept: stops for staleness wait one round');
    } else notices.settle('clock_jump', null);
  }

  async #candidates(options: SweepOptions): Promise<ReadonlySet<SessionAddress>> {
    const { registry, fleet, clock } = this.#porter;
    const sessions = new Set<SessionAddress>(fleet.sessions());
    for (const open of registry.openIncarnations()) sessions.add(open.session);
    for (const page of registry.eachDue(clock.now())) {
      for (const session of page) if (!this.#waits(session)) sessions.add(session);
      await othersTurn();
    }
    if (options.everySession) {
      for (const record of registry.eachSession()) if (record.status !== 'closed') sessions.add(record.address);
    } else for (const session of await this.#drifted()) sessions.add(session);
    return sessions;
  }

  /** For a place, or for its provider: it is looked at as soon as it need not. */
  #waits(session: SessionAddress): boolean {
    const { providers, budgets } = this.#porter;
    return this.#room.isWaiting(session) || providers.isWaiting(session) || budgets.isWaiting(session);
  }

  /** A slice of the idle sessions in each round: their files should be as they were left. */
  async #drifted(): Promise<readonly SessionAddress[]> {
    const { registry, files } = this.#porter;
    const { driftSlice } = this.#porter.settings();
    const slice = registry.slice(this.#driftAfter, driftSlice);
    this.#driftAfter = slice.length < driftSlice ? undefined : slice.at(-1)?.session;
    if (slice.length === 0) return [];
    const signatures = await files.signatures(slice.map(({ session }) => session)).catch((err: unknown) => {
      this.#porter.log.error({ err }, 'signatures could not be read');
      return slice.map(({ signature }) => signature);
    });
    return slice.flatMap(({ session, signature }, index) =>
      (signatures[index] ?? null) === signature ? [] : [session],
    );
  }

  async #lookAtAll(sessions: ReadonlySet<SessionAddress>, pass: Pass): Promise<void> {
    const queue = sessions.values();
    const worker = async (): Promise<void> => {
      // One iterator shared by all workers: each takes the next.
      for (const one of queue) {
        // Its end is a hint; a slow engine must not hold up the others.
        if ((this.#porter.fleet.find(one)?.inFlight ?? null) !== null) continue;
        if (this.#porter.isStopping()) return;
        try {
          await this.#hints.alone(one, () => this.#look(one, pass));
        } catch (err) {
          pass.error(one);
          this.#porter.log.error({ err, session: one }, 'session could not be looked at');
        }
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  }
}

/** Lets the event loop turn: a round over many sessions must not hold up whoever sends a message. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
