import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Policy } from '../core/policy.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { DrainReport, Rounds, RoundsState, SweepReport } from '../ports/rounds.js';
import type { Runtime } from '../ports/runtime.js';
import type { SessionFiles } from '../ports/session-files.js';
import type { SpecSource } from './container-spec.js';
import { drainFleet } from './drain.js';
import { dryRun } from './dry-run.js';
import { DueTimer } from './due-timer.js';
import { Executor } from './execute.js';
import { Fleet } from './fleet.js';
import { Alarms, Hints } from './hints.js';
import { lookAt } from './look.js';
import { Operations } from './operations.js';
import { HINT_PASS } from './porter.js';
import type { Pass, Porter, RoundsSettings } from './porter.js';
import { Preparation } from './preparation.js';
import { Room } from './room.js';
import { RuntimeEvents } from './runtime-events.js';
import { RuntimeGate } from './runtime-gate.js';
import { Starts } from './start-container.js';
import { Stops } from './stop-container.js';
import { Sweep } from './sweep.js';
import { Watch } from './watch.js';

/** Looks on hints that run side by side. */
const LOOKS = 16;
/** How long a shutdown waits for starts and stops in flight. */
const SHUTDOWN_WAIT_MS = 10_000;

export interface RoundsOptions {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  readonly settings: RoundsSettings;
  readonly specs: SpecSource;
  readonly policy: (record: SessionRecord) => Policy;
}

/** The rounds over all sessions: every interval, and for one session as soon as something hints at it. */
export class PorterRounds implements Rounds {
  readonly #porter: Porter;
  readonly #hints: Hints;
  readonly #alarms: Alarms;
  readonly #preparation: Preparation;
  readonly #room: Room;
  readonly #executor: Executor;
  readonly #sweep: Sweep;
  readonly #events: RuntimeEvents;
  readonly #watch: Watch;
  readonly #dueTimer: DueTimer;
  #isDraining = false;
  #isStopped = false;
  #cancelTick: (() => void) | null = null;
  #sweeping: Promise<SweepReport> | null = null;
  #lastSweep: Omit<SweepReport, 'actions'> | null = null;

  constructor(options: RoundsOptions) {
    const { clock, log, notices, runtime } = options;
    const gate = new RuntimeGate({
      runtime,
      clock,
      notices,
      log,
      onDown: () => {
        this.#preparation.forget();
        this.#porter.fleet.known = false;
      },
      onUp: () => {
        this.#sweepSoon();
      },
    });
    this.#porter = {
      ...options,
      gate,
      fleet: new Fleet(),
      operations: new Operations(log),
      hint: (session) => {
        this.#hints.hint(session);
      },
      alarm: (session, delayMs) => {
        this.#alarms.set(session, delayMs);
      },
      alone: (session, work) => this.#hints.alone(session, work),
      isDraining: () => this.#isDraining,
    };
    const stops = new Stops(this.#porter);
    this.#preparation = new Preparation(this.#porter);
    this.#room = new Room(this.#porter, new Starts(this.#porter, this.#preparation));
    this.#executor = new Executor(this.#porter, this.#room, stops);
    this.#hints = new Hints((session) => this.#lookOnHint(session), LOOKS, log);
    this.#alarms = new Alarms(clock, (session) => {
      this.hint(session);
    });
    this.#sweep = new Sweep({
      porter: this.#porter,
      hints: this.#hints,
      room: this.#room,
      look: (session, pass) => this.#look(session, pass),
    });
    this.#events = new RuntimeEvents(this.#porter, () => {
      this.#sweepSoon();
    });
    this.#watch = new Watch(this.#porter);
    this.#dueTimer = new DueTimer(this.#porter);
  }

  /** The first round at once, then one every interval; hints from then on. */
  async start(): Promise<void> {
    await this.#porter.gate.describe();
    this.#porter.operations.run('prepare', async () => {
      await this.#preparation.ensure();
    });
    this.#events.start();
    this.#watch.start();
    await this.tick();
    this.#schedule();
  }

  /** One round of the loop. A round still under way is shared, not doubled. */
  async tick(options: { readonly everySession: boolean } = { everySession: false }): Promise<SweepReport> {
    this.#sweeping ??= this.#sweep.run(options).finally(() => {
      this.#sweeping = null;
    });
    const report = await this.#sweeping;
    this.#remember(report);
    this.#dueTimer.rearm();
    return report;
  }

  hint(session: SessionAddress): void {
    if (!this.#isStopped) this.#hints.hint(session);
  }

  async sweep(options: { readonly dryRun: boolean }): Promise<SweepReport> {
    if (options.dryRun) return dryRun(this.#porter, { everySession: true });
    // A round that was under way may have passed what the caller just did.
    if (this.#sweeping !== null) await this.#sweeping;
    return this.tick();
  }

  /** Everything begun by looks and rounds so far has ended. For a round that runs by itself. */
  async settled(): Promise<void> {
    do {
      await this.#sweeping;
      await this.#porter.operations.settled();
      await this.#hints.idle();
    } while (this.#porter.operations.size > 0 || this.#sweeping !== null);
  }

  async drain(): Promise<DrainReport> {
    this.#isDraining = true;
    return drainFleet(this.#porter);
  }

  state(): RoundsState {
    return {
      runtime: this.#porter.gate.state(),
      running: this.#porter.fleet.running().map(({ session, container }) => ({
        session,
        epoch: container.epoch,
        containerId: container.id,
        startedAtMs: container.startedAtMs,
      })),
      waiting: this.#room.size,
      draining: this.#isDraining,
      lastSweep: this.#lastSweep,
    };
  }

  /** Lets writes, starts and stops in flight finish (10 s at most); containers go on. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#alarms.clear();
    this.#dueTimer.stop();
    this.#porter.gate.close();
    await this.#watch.stop();
    const inFlight = Promise.all([
      this.#events.stop(),
      this.#sweeping,
      this.#hints.stop(),
      this.#porter.operations.settled(),
    ]);
    await Promise.race([inFlight, this.#deadline(SHUTDOWN_WAIT_MS)]);
  }

  #look(session: SessionAddress, pass: Pass): Promise<void> {
    return lookAt(this.#porter, this.#executor, session, pass);
  }

  async #lookOnHint(session: SessionAddress): Promise<void> {
    await this.#look(session, HINT_PASS);
    this.#room.dispatch();
    this.#dueTimer.rearm();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancelTick = this.#porter.clock.after(this.#porter.settings.sweepIntervalMs, () => {
      this.tick()
        .catch((err: unknown) => {
          this.#porter.log.error({ err }, 'round failed');
        })
        .finally(() => {
          this.#schedule();
        });
    });
  }

  /** Something was lost or came back: a full round now. */
  #sweepSoon(): void {
    if (this.#isStopped) return;
    this.tick().catch((err: unknown) => {
      this.#porter.log.error({ err }, 'round failed');
    });
  }

  #remember(report: SweepReport): void {
    const { startedAtMs, durationMs, swept, skipped, errors } = report;
    this.#lastSweep = { startedAtMs, durationMs, swept, skipped, errors };
    this.#porter.registry.writeFact('last_sweep', JSON.stringify(this.#lastSweep));
    const fields = { durationMs: Math.round(durationMs), swept, skipped, errors, actions: report.actions.length };
    if (report.actions.length > 0) this.#porter.log.info(fields, 'round done');
    else this.#porter.log.debug(fields, 'round done');
  }

  #deadline(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#porter.clock.after(delayMs, resolve);
    });
  }
}
