import type { SettingRow } from '../config/reference.js';
import type { Desk } from '../desk/desk.js';
import type { DaemonAnswer } from '../desk/doctor/world.js';
import type { GcReport } from '../desk/gc.js';
import type { SweepReport } from '../desk/sweep.js';
import type { DoctorView } from '../desk/views.js';

/** What main hands the command line: everything that needs the composition root. */
export interface Host {
  /**
   * Runs the daemon until it is told to end; resolves with the exit code. Lock taken: rejects with `refused` that says
   * who holds it, within 1 s.
   */
  startDaemon(options: StartOptions): Promise<number>;
  /**
   * The desk of a data dir without a daemon. `read`: registry read-only, nothing is created (the registry exists: the
   * caller has checked). `write`: creates what is missing and holds the host lock until it is closed; never waits for it.
   */
  openDesk(mode: 'read' | 'write', options: HostOptions): Promise<OpenDesk | LockTaken>;
  /** One round by itself, over every session, under the host lock (`runtime` is not recorded). Lock taken: `refused`. */
  sweepOnce(options: SweepOptions): Promise<SweepReportOrLock>;
  /** Upkeep by itself, once, under the host lock. Lock taken: `refused`. */
  collectOnce(options: CollectOptions): Promise<GcReportOrLock>;
  /** Every setting as it is in effect; secrets hidden. Creates nothing. */
  showSettings(options: HostOptions): Promise<readonly SettingRow[]>;
  /** What is wrong with the settings, and what is only odd. Creates nothing. */
  checkSettings(options: HostOptions): Promise<SettingsReport>;
  /** Looks at everything, whatever state it is in; takes no lock, changes nothing but its own probe. */
  examine(options: ExamineOptions): Promise<DoctorView>;
}

export interface SettingsReport {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export interface ExamineOptions extends HostOptions {
  readonly daemon: () => Promise<DaemonAnswer>;
}

export interface HostOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** `--config`; undefined: `config.yaml` in the data dir, where there is one. */
  readonly configFile: string | undefined;
}

export interface StartOptions extends HostOptions {
  readonly runtime: RuntimeChoice | undefined;
}

export interface SweepOptions extends HostOptions {
  readonly dryRun: boolean;
  readonly runtime: RuntimeChoice | undefined;
}

export interface CollectOptions extends HostOptions {
  readonly dryRun: boolean;
  readonly archive: boolean;
}

export const RUNTIME_CHOICES = ['auto', 'docker', 'process'] as const;
export type RuntimeChoice = (typeof RUNTIME_CHOICES)[number];

export interface OpenDesk {
  readonly kind: 'open';
  readonly desk: Desk;
  close(): Promise<void>;
}

/** Another process holds the data dir. */
export interface LockTaken {
  readonly kind: 'locked';
  /** For people: `process 4711`. */
  readonly holder: string;
}

export type GcReportOrLock = { readonly kind: 'collected'; readonly report: GcReport } | LockTaken;
export type SweepReportOrLock = { readonly kind: 'swept'; readonly report: SweepReport } | LockTaken;
