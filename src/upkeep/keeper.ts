import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Retention } from '../core/retention/retention.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { SessionFiles } from '../ports/session-files.js';
import type { Supervision } from '../ports/upkeep.js';
import type { SessionAddress } from '../protocol/address.js';
import type { ClockTrust } from './clock-trust.js';

/** What all jobs share. */
export interface Keeper extends KeeperPorts {
  readonly clockTrust: ClockTrust;
}

/** What upkeep needs of the world. */
export interface KeeperPorts {
  readonly registry: Registry;
  readonly files: SessionFiles;
  readonly supervision: Supervision;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  readonly settings: () => UpkeepSettings;
  /** What holds for a session: its group's, over those of all groups. */
  readonly retention: (record: Pick<SessionRecord, 'group'>) => Retention;
  /** Where a session's folder is; for people. */
  readonly folderOf: (session: SessionAddress) => string;
}

export interface UpkeepSettings {
  readonly gcIntervalMs: number;
  /** The shortest of all groups; 0: none is ever closed, deleted, or too old. */
  readonly shortest: { readonly closeAfterMs: number; readonly deleteAfterMs: number; readonly resumeIdsMs: number };
  /** 0: for ever. */
  readonly conversationMaxAgeMs: number;
  /** 0: for ever. */
  readonly noticeMaxAgeMs: number;
}
