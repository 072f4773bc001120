import type { Reload } from '../config/reload.js';
import type { Logger } from '../observe/logs.js';
import type { Clock } from '../ports/clock.js';
import type { Nanoclaw } from '../ports/nanoclaw.js';
import type { Random } from '../ports/random.js';
import type { Registry } from '../ports/registry.js';
import type { Rounds } from '../ports/rounds.js';
import type { Runtime } from '../ports/runtime.js';
import type { SessionFiles } from '../ports/session-files.js';
import type { Upkeep } from '../ports/upkeep.js';
import type { Staging } from '../ports/staging.js';

/** What the use cases of this room work on. */
export interface Desk {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly staging: Staging;
  /** null: no foreign installation can be read from here. */
  readonly nanoclaw: Nanoclaw | null;
  /** null: no daemon runs; what is accepted waits for the next start or sweep. */
  readonly rounds: Rounds | null;
  /** null: no daemon runs. */
  readonly upkeep: Upkeep | null;
  /** What may be asked of the containers; null: nothing can be asked from here. */
  readonly runtime: RuntimeQuestions | null;
  readonly clock: Clock;
  readonly random: Random;
  /** Those in effect; asked anew whenever one is needed. */
  settings(): DeskSettings;
  readonly log: Logger;
  /** Ends the daemon in an orderly way once answers under way are sent; nothing where none runs. */
  requestStop(): void;
  /** Reads the settings again and puts them into effect, or leaves all as it was; null: no daemon runs. */
  readonly reloadSettings: (() => Reload) | null;
}

export type RuntimeQuestions = Pick<Runtime, 'kind' | 'list' | 'logs'>;

export interface DeskSettings {
  /** Absolute. */
  readonly dataDir: string;
  /** Largest content of a message, as JSON text in UTF-8. */
  readonly messageMaxBytes: number;
  /** Zone of series that name none. */
  readonly timezone: string;
  readonly attachmentMaxBytes: number;
  /** Most attachments of one message. */
  readonly attachmentsMax: number;
}
