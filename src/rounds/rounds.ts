import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Policy } from '../core/policy.js';
import { LoopTurns } from '../protocol/loop-turns.js';
import type { SessionAddress } from '../protocol/address.js';
import { NightporterError } from '../protocol/errors.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { DrainReport, Rounds, RoundsState, SweepReport } from '../ports/rounds.js';
import type { Runtime } from '../ports/runtime.js';
import type { ContainerPresence, Supervision } from '../ports/upkeep.js';
import type { SessionFiles } from '../ports/session-files.js';
import type { SpecSource } from './container-spec.js';
import { Budgets } from './budgets.js';
import { drainFleet } from './drain.js';
import { dryRun } from './dry-run.js';
import { DueTimer } from './due-timer.js';
import { Executor } from './execute.js';
import { Faults } from './faults.js';
import { Fleet, isUp } from './fleet.js';
import { Alarms, Hints } from './hints.js';
import { lookAt } from './look.js';
import { inspectSession } from './observe.js';
import { LeftBehind } from './left-behind.js';
import { Operations } from './operations.js';
import { HINT_PASS } from './porter.js';
import type { Pass, Porter, RoundsSettings } from './porter.js';
import { Preparation } from './preparation.js';
import { Room } from './room.js';
import { RuntimeEvents } from './runtime-events.js';
import { ProviderGates } from './provider-gates.js';
import { RuntimeGate } from './runtime-gate.js';
import { Starts } from './start-container.js';
import { Stops } from './stop-container.js';
import { Sweep } from './sweep.js';
import { Watch } from './watch.js';

/** Looks on hints that run side by side. */
const LOOKS = 16;
/** How long a shutdown waits for starts and stops in flight. */
const SHUTDOWN_WAIT_MS = 10_000;
const NOTICES_TAKEN_UP = 10_000;

export interface RoundsOptions {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  /** Those in effect; asked anew whenever one is needed. */
  readonly settings: () => RoundsSettings;
  readonly specs: SpecSource;
  readonly policy: (record: SessionRecord) => Policy;
}

/** The rounds over all sessions: every interval, and for one session as soon as something hints at it. */
export class PorterRounds implements Rounds, Supervision {
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
  #stopping: Promise<void> | null = null;
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
        this.#sweepSoon(() => !this.#porter.fleet.known);
      },
    });
    const hint = (session: SessionAddress): void => {
      this.#hints.hint(session);
    };
    const alarm = (session: SessionAddress, delayMs: number): void => {
      this.#alarms.set(session, delayMs);
    };
    const turns = new LoopTurns();
    const fleet = new Fleet();
    this.#porter = {
      ...options,
      gate,
      providers: new ProviderGates({ ...options, hint }),
      budgets: new Budgets({ ...options, fleet }),
      leftBehind: new LeftBehind(options.registry),
      fleet,
      operations: new Operations(log),
      faults: new Faults({ notices, log, mostMs: () => options.settings().busyRetryMaxMs, hint, alarm }),
      hint,
      alarm,
      turn: () => turns.next(),
      alone: (session, work) => this.#hints.alone(session, work),
      isDraining: () => this.#isDraining,
      isStopping: () => this.#isStopped,
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
      this.#sweepSoon(() => true);
    });
    this.#watch = new Watch(this.#porter);
    this.#dueTimer = new DueTimer(this.#porter);
  }

  /** The first round at once, then one every interval; hints from then on. */
  async start(): Promise<void> {
    await this.#porter.gate.describe();
    if (this.#isStopped) return;
    this.#porter.operations.run('prepare', async () => {
      await this.#preparation.ensure();
    });
    this.#takeUpNotices();
    // Told anew where it is so again.
    this.#porter.notices.settle('stale_active', null);
    this.#events.start();
    this.#watch.start();
    // A first round that fails (a full disk) is no reason never to make another.
    await this.tick().catch(this.#tellFailed);
    this.#schedule();
  }

  /** One round of the loop. A round still under way is shared, not doubled. */
  async tick(options: { readonly everySession: boolean } = { everySession: false }): Promise<SweepReport> {
    if (this.#isStopped) throw new NightporterError('unavailable', 'the daemon is ending: there are no more rounds');
    this.#sweeping ??= this.#round(options).finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  hint(session: SessionAddress): void {
    if (!this.#isStopped) this.#hints.hint(session);
  }

  async sweep(options: { readonly dryRun: boolean }): Promise<SweepReport> {
    if (options.dryRun) return dryRun(this.#porter, { everySession: true });
    // A round that was under way may have passed what the caller just did.
    await this.#sweeping?.catch(() => undefined);
    return this.tick();
  }

  /** Other settings are in effect: a round under them now, the next one an interval from now. */
  settingsChanged(): void {
    this.#porter.budgets.settingsChanged();
    this.#porter.providers.settingsChanged();
    // Before the first round there is nothing to do anew.
    if (this.#isStopped || this.#cancelTick === null) return;
    this.#schedule();
    this.#sweepSoon(() => true);
  }

  /** Runs `work` while nobody looks at the session, with what the runtime has of it just now. */
  undisturbed<T>(session: SessionAddress, work: (container: ContainerPresence) => Promise<T>): Promise<T> {
    return this.#hints.alone(session, async () => work(await this.#presence(session)));
  }

  turn(): Promise<void> {
    return this.#porter.turn();
  }

  async #presence(session: SessionAddress): Promise<ContainerPresence> {
    const { registry, fleet } = this.#porter;
    const one = fleet.find(session);
    if (one !== undefined && (one.inFlight !== null || one.blocked)) return 'running';
    const record = registry.findSession(session);
    // One that never had a container needs no answer of the runtime.
    if (record === undefined || (record.epoch === 0 && one === undefined)) return 'none';
    const found = await inspectSession(this.#porter, record);
    if (found === 'unknown') return 'unknown';
    return found !== null && isUp(found) ? 'running' : 'none';
  }

  /** Everything begun by looks and rounds so far has ended. For a round that runs by itself. */
  async settled(): Promise<void> {
    do {
      await this.#sweeping?.catch(() => undefined);
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
      unrecordedNotices: this.#porter.notices.unrecorded(),
    };
  }

  /** Lets writes, starts and stops in flight finish (10 s at most); containers go on. Idempotent. */
  stop(): Promise<void> {
    if (this.#stopping !== null) return this.#stopping;
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#alarms.close();
    this.#dueTimer.stop();
    this.#porter.providers.close();
    this.#porter.gate.close();
    this.#stopping = Promise.race([this.#ended(), this.#deadline(SHUTDOWN_WAIT_MS)]);
    return this.#stopping;
  }

  async #ended(): Promise<void> {
    await Promise.allSettled([this.#watch.stop(), this.#events.stop(), this.#sweeping, this.#hints.stop()]);
    // Last: looks begin starts and stops.
    await this.#porter.operations.settled();
  }

  async #round(options: { readonly everySession: boolean }): Promise<SweepReport> {
    this.#porter.leftBehind.load();
    const report = await this.#sweep.run(options);
    this.#remember(report);
    this.#dueTimer.rearm();
    return report;
  }

  async #look(session: SessionAddress, pass: Pass): Promise<void> {
    const { faults, registry } = this.#porter;
    try {
      await lookAt(this.#porter, this.#executor, session, pass);
      faults.worked('look', session);
      if (registry.findSession(session) === undefined) faults.worked('start', session);
    } catch (err) {
      pass.error(session);
      faults.failed('look', session, err);
    }
  }

  /** What an earlier daemon told of locked files is looked at again, so that it does not stay for ever. */
  #takeUpNotices(): void {
    for (const { kind, session } of this.#porter.registry.openNotices(NOTICES_TAKEN_UP)) {
      if (kind === 'budget_spent') this.#porter.budgets.takeUp(session);
      if (kind !== 'file_busy' || session === null) continue;
      this.#porter.fleet.at(session).busyTold = true;
      this.hint(session);
    }
  }

  async #lookOnHint(session: SessionAddress): Promise<void> {
    await this.#look(session, HINT_PASS);
    this.#room.dispatch();
    this.#dueTimer.rearm();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancelTick?.();
    this.#cancelTick = this.#porter.clock.after(this.#porter.settings().sweepIntervalMs, () => {
      this.tick()
        .catch(this.#tellFailed)
        .finally(() => {
          this.#schedule();
        });
    });
  }

  /** Something was lost or came back: a full round now, after one that is under way where that may have missed it. */
  #sweepSoon(isNeeded: () => boolean): void {
    const before = this.#sweeping;
    const round = async (): Promise<void> => {
      await before?.catch(() => undefined);
      if (!this.#isStopped && (before === null || isNeeded())) await this.tick();
    };
    round().catch(this.#tellFailed);
  }

  readonly #tellFailed = (err: unknown): void => {
    if (!this.#isStopped) this.#porter.log.error({ err }, 'round failed');
  };

  #remember(report: SweepReport): void {
    const { startedAtMs, durationMs, swept, skipped, errors } = report;
    this.#lastSweep = { startedAtMs, durationMs, swept, skipped, errors };
    try {
      this.#porter.registry.writeFact('last_sweep', JSON.stringify(this.#lastSweep));
    } catch (err) {
      this.#porter.log.error({ err }, 'report of the round could not be recorded');
    }
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
