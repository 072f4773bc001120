import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Chances } from './chances.mjs';
import { fillDisk } from './disk-fault.mjs';
import { signal } from './processes.mjs';
import { pauseUnless, Turnstile } from './waiting.mjs';

const EVERY_MS = [300, 1_900];
const PAUSED_MS = [1_000, 9_000];
const LOCKED_MS = [500, 7_000];
const DAEMON_STOPPED_MS = [1_000, 7_000];
const DAEMON_DOWN_MS = [500, 5_000];
const ENGINE_DOWN_MS = [300, 5_000];
/** What was hit gets some time to work, or nothing would ever be done. */
const REST_MS = [1_500, 6_000];
/** A daemon that was killed is up again at once as often as not. */
const AT_ONCE = 0.5;

/** How often each is dealt. */
const DECK = {
  killContainer: 24,
  killParent: 5,
  pauseContainer: 9,
  lockFile: 9,
  killWorker: 5,
  killDaemon: 6,
  endDaemon: 3,
  stopDaemon: 4,
  fillDisk: 3,
};
const ENGINE_DECK = { ...DECK, killEngine: 3 };
/** What every run has to see, however short it is and slow the machine. */
const ESSENTIAL = ['killContainer', 'fillDisk', 'killEngine', 'killDaemon'];
/** Dealt before all others, the first first. */
const OPENING = [...ESSENTIAL, 'lockFile', 'killWorker', 'pauseContainer', 'killParent', 'endDaemon', 'stopDaemon'];
/** Whom a fault takes to itself, so that nothing else of its kind happens meanwhile. */
const TAKES = {
  killDaemon: 'daemon',
  endDaemon: 'daemon',
  stopDaemon: 'daemon',
  fillDisk: 'disk',
  killEngine: 'engine',
};
/** A fault that has to wait for its turn comes again so many cards later. */
const CARDS_LATER = 3;

/** Breaks one thing after another, several at a time, until it is told to stop. */
export class Faults {
  #parts;
  #chances;
  #log;
  #deck;
  #essential;
  #stop = new AbortController();
  #running = [];
  #underWay = new Set();
  /** One thing at a time befalls the daemon, the disk, the engine. */
  #turns = { daemon: new Turnstile(), disk: new Turnstile(), engine: new Turnstile() };

  /** `parts`: daemon, view, ground, engine (docker), sessions, probe, problems, recoveries, log, seed. */
  constructor(parts) {
    this.#parts = parts;
    this.#chances = Chances.named(parts.seed, 'faults');
    this.#log = parts.log;
    const isHere = (kind) => kind !== 'killEngine' || parts.engine !== undefined;
    this.#deck = OPENING.filter(isHere).reverse();
    this.#essential = new Set(ESSENTIAL.filter(isHere));
  }

  /** Whether what every run has to see has begun. */
  get hasSeenAll() {
    return this.#essential.size === 0;
  }

  start() {
    this.#running = this.#deal();
  }

  /** All faults off: disk free, daemon and engine up. */
  async stop() {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#underWay);
  }

  async #deal() {
    while (!this.#stop.signal.aborted) {
      await pauseUnless(this.#stop.signal, this.#chances.between(...EVERY_MS));
      const kind = this.#stop.signal.aborted ? undefined : this.#draw();
      if (kind === undefined) continue;
      this.#essential.delete(kind);
      const fault = this[kind](new Chances(this.#chances.between(0, 2 ** 31)))
        .catch((error) => this.#parts.problems.add('a fault could not be made or undone', `${kind}: ${error.message}`))
        .finally(() => this.#underWay.delete(fault));
      this.#underWay.add(fault);
    }
  }

  /** undefined: its turn comes later. */
  #draw() {
    if (this.#deck.length === 0) this.#deck = this.#chances.shuffled(this.#cards());
    const kind = this.#deck.pop();
    if (!this.#mustWait(kind)) return kind;
    this.#deck.splice(Math.max(0, this.#deck.length - CARDS_LATER), 0, kind);
    return undefined;
  }

  #mustWait(kind) {
    const { daemon } = this.#turns;
    return (
      this.#turns[TAKES[kind]]?.isTaken === true || (kind === 'fillDisk' && this.#mustFillAlone() && daemon.isTaken)
    );
  }

  /** Every other time nothing else befalls the daemon meanwhile: it has to recover by itself. */
  #mustFillAlone() {
    return 2 * this.#parts.recoveries.length <= (this.#log.counts()['disk full'] ?? 0);
  }

  #cards() {
    const weights = this.#parts.engine === undefined ? DECK : ENGINE_DECK;
    return Object.entries(weights).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
  }

  async killContainer(chances) {
    await this.#hit('container killed', chances, (one) => this.#parts.view.kill(one));
  }

  /** Shim or container process, behind the runtime's back. */
  async killParent(chances) {
    await this.#hit('container killed from outside', chances, (one) => this.#parts.view.killParent(one));
  }

  async pauseContainer(chances) {
    const paused = await this.#hit('container paused', chances, (one) => this.#parts.view.pause(one), true);
    if (paused === undefined) return;
    await this.#while(chances.between(...PAUSED_MS));
    await this.#parts.view.resume(paused.one);
    paused.fault.end();
  }

  async lockFile(chances) {
    const session = chances.pick(this.#parts.sessions);
    const file = chances.pick(['in/inbound.db', 'out/outbound.db']);
    const path = join(this.#parts.ground.dataDir, 'sessions', session, file);
    if (!existsSync(path)) return;
    const db = new Database(path, { timeout: 50 });
    try {
      db.exec('BEGIN EXCLUSIVE');
      const fault = this.#log.begin('file locked', session);
      await this.#while(chances.between(...LOCKED_MS));
      fault.end();
    } catch (error) {
      // Somebody is at work in it, or has left a journal that a full disk does not let be rolled back.
      if (!/^SQLITE_(BUSY|IOERR|FULL|CANTOPEN)/.test(error.code ?? '')) throw error;
    } finally {
      db.close();
    }
  }

  async killWorker(chances) {
    const worker = chances.pick(this.#workers());
    if (worker === undefined) return;
    const fault = this.#log.begin('file worker killed');
    signal({ pid: worker.pid, start: worker.startTime }, 'SIGKILL');
    fault.end();
  }

  killDaemon(chances) {
    return this.#endDaemon('daemon killed', 'SIGKILL', chances);
  }

  endDaemon(chances) {
    return this.#endDaemon('daemon ended', 'SIGTERM', chances);
  }

  stopDaemon(chances) {
    return this.#turns.daemon.pass(async () => {
      const daemon = this.#parts.daemon.process;
      if (daemon === undefined) return;
      const fault = this.#log.begin('daemon stopped');
      signal(daemon, 'SIGSTOP');
      await this.#while(chances.between(...DAEMON_STOPPED_MS));
      signal(daemon, 'SIGCONT');
      fault.end();
      await this.#while(chances.between(...REST_MS));
    });
  }

  fillDisk(chances) {
    const isAlone = this.#mustFillAlone();
    return this.#turns.disk.pass(() => {
      const fill = () =>
        fillDisk(this.#parts, chances, {
          isAlone,
          wait: (ms) => this.#while(ms),
          isOver: () => this.#stop.signal.aborted,
        });
      return isAlone ? this.#turns.daemon.pass(fill) : fill();
    });
  }

  killEngine(chances) {
    return this.#turns.engine.pass(async () => {
      const { engine } = this.#parts;
      const fault = this.#log.begin('engine killed');
      await engine.kill();
      await this.#while(chances.between(...ENGINE_DOWN_MS));
      await engine.start(chances.isBelow(0.5));
      fault.end();
      await this.#while(chances.between(...REST_MS));
    });
  }

  #endDaemon(kind, name, chances) {
    return this.#turns.daemon.pass(async () => {
      const { daemon } = this.#parts;
      const fault = this.#log.begin(kind);
      await daemon.end(name);
      if (!chances.isBelow(AT_ONCE)) await this.#while(chances.between(...DAEMON_DOWN_MS));
      await daemon.up();
      fault.end();
      await this.#while(chances.between(...REST_MS));
    });
  }

  /** One of those that run, if it was there to be hit. */
  async #hit(kind, chances, blow, lasts = false) {
    const running = await this.#parts.view.running();
    const one = chances.pick(running ?? []);
    if (one === undefined) return undefined;
    const fault = this.#log.begin(kind, one.session);
    const isHit = await blow(one);
    if (!isHit) fault.drop();
    else if (!lasts) fault.end();
    return isHit ? { one, fault } : undefined;
  }

  #workers() {
    try {
      const ledger = JSON.parse(readFileSync(join(this.#parts.ground.dataDir, 'workers.json'), 'utf8'));
      return ledger.map(({ child }) => child);
    } catch {
      return [];
    }
  }

  #while(ms) {
    return pauseUnless(this.#stop.signal, ms);
  }
}
