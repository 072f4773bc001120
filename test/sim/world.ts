import Database from 'better-sqlite3';
import type { Settings } from '../../src/config.js';
import type { SessionAddress } from '../../src/protocol/address.js';
import { sessionPaths } from '../../src/store/session-files/session-paths.js';
import type { SessionPaths } from '../../src/store/session-files/session-paths.js';
import type { Chance } from './chance.js';
import type { Habits } from './habits.js';
import type { Timeline } from './timeline.js';

/** How long a plan that was made before may still be carried out: the engine is asked in between, and may be slow. */
const UNSTEADY_MS = 60_000;

/** Whoever meets it belongs to a host that was killed. */
export class HostGone extends Error {}

/** Something happened that must never happen. */
export class Violation extends Error {}

/** A host that can be killed: whatever it had under way is not carried out, whatever was is not told. */
export interface Mortal {
  readonly isDead: boolean;
  die(how: string): void;
}

/** Why a session's files answer nobody: a container holds them while it lives, or somebody does until a time. */
export interface Lock {
  readonly untilMs: number;
  readonly byEpoch: number | null;
}

/** An operation on the files of a session. */
export interface Target {
  readonly operation: string;
  readonly session: SessionAddress | null;
}

/** The host is killed at one of the next commits. */
export interface CommitKill {
  left: number;
  readonly side: 'before' | 'after';
  /** Only those of such an operation count; null: all do. `session` null: of whichever. */
  readonly target: Target | null;
}

export interface WorldOptions {
  readonly seed: number;
  readonly dataDir: string;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly settings: Settings;
  readonly habits: Habits;
  readonly isTraced: boolean;
  /** Sessions are closed and deleted. */
  readonly hasUpkeep: boolean;
}

/** How long a turn of the loop of a busy host takes at most. */
export const BUSY_TURN_MS = 8_000;

/** What all parts of a simulation share: time, chance, the disk and its faults, what happened. */
export class World {
  readonly seed: number;
  readonly dataDir: string;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly settings: Settings;
  readonly habits: Habits;
  /** No more faults: everything new behaves, and what is there has to come to an end. */
  isQuiet = false;
  isDiskFull = false;
  /** null: the host is not killed at a commit. */
  killAtCommit: CommitKill | null = null;
  /** Answers of the file workers come late, some after their child was killed. */
  areFilesSlow = false;
  /** The host's machine has much else to do: a turn of its loop may take seconds. */
  isHostBusy = false;
  /** When it was busy last, monotonic. */
  hostBusyMs = -Infinity;
  readonly locks = new Map<SessionAddress, Lock>();
  /** When the host could last read a session's files. */
  readonly readableMs = new Map<SessionAddress, number>();
  /** When a call of the engine's failed: what ends around it may have ended with the engine, for all that a host can tell. */
  engineFailedMs = -1;
  /** Things that happened, by name: what a run was worth. */
  readonly counts = new Map<string, number>();
  readonly trace: string[] = [];
  /** Of all that happened, in order: the same for every run of the seed. */
  fingerprint = 0;
  violation: Violation | null = null;
  readonly hasUpkeep: boolean;
  readonly #isTraced: boolean;
  readonly #versions = new Map<SessionAddress, number>();
  readonly #lastVersions = new Map<SessionAddress, number>();
  /** Grows with every change to a row of the registry. */
  registryChanges = 0;
  #acting: Mortal | null = null;
  /** Of the session files, what is being carried out. */
  #target: Target | null = null;
  #clockJumps = 0;
  #unsteadyUntilMs = 0;
  readonly #clockWatchers: ((wallMs: number) => void)[] = [];

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.dataDir = options.dataDir;
    this.timeline = options.timeline;
    this.chance = options.chance;
    this.settings = options.settings;
    this.habits = options.habits;
    this.#isTraced = options.isTraced;
    this.hasUpkeep = options.hasUpkeep;
  }

  // --- what happened

  note(what: string, detail: () => string = () => ''): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    const { monotonicMs } = this.timeline;
    for (const character of `${String(monotonicMs)} ${what}`) {
      this.fingerprint = (Math.imul(this.fingerprint, 31) + (character.codePointAt(0) ?? 0)) | 0;
    }
    if (!this.#isTraced) return;
    const wall = new Date(this.timeline.wallMs).toISOString();
    this.trace.push(`${(monotonicMs / 1000).toFixed(3).padStart(10)} s  ${wall}  ${what} ${detail()}`);
  }

  /** The first violation is what a run ends with: what follows may only follow from it. */
  violate(text: string): void {
    if (this.violation !== null) return;
    this.violation = new Violation(`${text} (at ${String(Math.round(this.timeline.monotonicMs))} ms)`);
    this.note('VIOLATION', () => text);
  }

  // --- clocks

  get clockJumps(): number {
    return this.#clockJumps;
  }

  /** Told the wall clock after every jump. */
  onClockJump(heard: (wallMs: number) => void): void {
    this.#clockWatchers.push(heard);
  }

  /** What the host decided may be of a time that is past, or yet to come. */
  get isClockUnsteady(): boolean {
    return this.timeline.monotonicMs < this.#unsteadyUntilMs;
  }

  unsteadyFor(forMs: number): void {
    this.#unsteadyUntilMs = Math.max(this.#unsteadyUntilMs, this.timeline.monotonicMs + forMs);
  }

  jumpClock(byMs: number): void {
    this.unsteadyFor(UNSTEADY_MS);
    this.#clockJumps += 1;
    this.note('clock jumps', () => `${String(byMs)} ms`);
    this.timeline.jump(byMs);
    for (const heard of this.#clockWatchers) heard(this.timeline.wallMs);
  }

  readonly #silenceWatchers: ((session: SessionAddress, limitMs: number) => void)[] = [];

  /** Told when a container shows no life until a message comes, and how long that is let pass. */
  onSilence(heard: (session: SessionAddress, limitMs: number) => void): void {
    this.#silenceWatchers.push(heard);
  }

  waitsForNews(session: SessionAddress, limitMs: number): void {
    for (const heard of this.#silenceWatchers) heard(session, limitMs);
  }

  readonly #occurrenceWatchers: ((session: SessionAddress, series: string) => void)[] = [];

  /** Told when an occurrence of a series is under way, until it is quiet. */
  onOccurrence(heard: (session: SessionAddress, series: string) => void): void {
    this.#occurrenceWatchers.push(heard);
  }

  occurrenceBegins(session: SessionAddress, series: string): void {
    if (!this.isQuiet) for (const heard of this.#occurrenceWatchers) heard(session, series);
  }

  // --- files

  paths(session: SessionAddress): SessionPaths {
    return sessionPaths(this.dataDir, session);
  }

  /** Changes whenever somebody wrote to a file of the session; null: it has none. */
  version(session: SessionAddress): string | null {
    const version = this.#versions.get(session);
    return version === undefined ? null : String(version);
  }

  touch(session: SessionAddress): void {
    this.#versions.set(session, (this.#versions.get(session) ?? this.#lastVersions.get(session) ?? 0) + 1);
  }

  /** Its folder is deleted; what comes in its place is another version. */
  forget(session: SessionAddress): void {
    this.#lastVersions.set(session, this.#versions.get(session) ?? 0);
    this.#versions.delete(session);
  }

  lockOf(session: SessionAddress): Lock | undefined {
    const lock = this.locks.get(session);
    if (lock === undefined || lock.untilMs > this.timeline.monotonicMs) return lock;
    this.locks.delete(session);
    return undefined;
  }

  /** Work of the host at its databases: its commits fail or kill it as the faults of the moment say. */
  act<T>(host: Mortal, work: () => T, target: Target | null = null): T {
    if (host.isDead) throw new HostGone('this host was killed');
    const before = [this.#acting, this.#target] as const;
    this.#acting = host;
    this.#target = target;
    try {
      return work();
    } finally {
      [this.#acting, this.#target] = before;
    }
  }

  beforeCommit(file: string): void {
    const host = this.#acting;
    if (host === null) return;
    if (host.isDead) throw new HostGone('this host was killed');
    if (this.isDiskFull) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
    const kill = this.killAtCommit;
    if (kill === null || !isAt(kill.target, this.#target)) return;
    kill.left -= 1;
    if (kill.left <= 0 && kill.side === 'before') this.#kill(host, `before a commit of ${file}`);
  }

  afterCommit(file: string): void {
    const host = this.#acting;
    const kill = this.killAtCommit;
    if (host === null || kill === null || kill.left > 0) return;
    this.#kill(host, `after a commit of ${file}`);
  }

  #kill(host: Mortal, how: string): never {
    this.killAtCommit = null;
    host.die(how);
    throw new HostGone('this host was killed');
  }
}

function isAt(wanted: Target | null, target: Target | null): boolean {
  if (wanted === null) return true;
  return wanted.operation === target?.operation && (wanted.session ?? target.session) === target.session;
}
