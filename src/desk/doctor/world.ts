import type { Settings } from '../../config.js';
import type { RuntimeExaminer, StoreExaminer } from '../../ports/examination.js';
import type { Clock } from '../../ports/clock.js';
import type { Registry } from '../../ports/registry.js';
import type { ContainerSpec, InstallId, Runtime } from '../../ports/runtime.js';
import type { SessionFiles } from '../../ports/session-files.js';
import type { StatusView } from '../views.js';

export type Kind = 'docker' | 'process';

/** What the doctor looks at. Nothing of it takes the host lock or opens the registry for writing. */
export interface DoctorWorld {
  /** Absolute. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly version: string;
  /** Defaults where they are wrong; then `settingsProblem` says what is. */
  readonly settings: Settings;
  readonly settingsProblem: string | null;
  daemon(): Promise<DaemonAnswer>;
  readonly store: StoreExaminer;
  /** For reading. @throws NightporterError */
  openRegistry(): Registry;
  /** @throws where the data dir cannot be read */
  install(): InstallId;
  chooseRuntime(recorded: string | undefined): { readonly kind: Kind; readonly reason: string };
  /** @throws NightporterError `unavailable`: no engine is installed */
  openRuntime(kind: Kind, install: InstallId): Promise<ExaminedRuntime>;
  /** A session of its own below `folder`, made as those of the data dir are. */
  openProbe(kind: Kind, install: InstallId, folder: string): Promise<Probe>;
}

/** What answers at the data dir's socket. */
export type DaemonAnswer =
  | { readonly kind: 'none' }
  | { readonly kind: 'answers'; readonly pid: number; readonly status: StatusView | undefined }
  /** Something listens there, and nothing comes of it. */
  | { readonly kind: 'silent'; readonly detail: string };

export interface ExaminedRuntime {
  readonly runtime: Pick<Runtime, 'list'>;
  readonly examiner: RuntimeExaminer;
  close(): Promise<void>;
}

export interface Probe {
  readonly files: SessionFiles;
  readonly spec: ContainerSpec;
}
