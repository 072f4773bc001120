import * as z from 'zod';
import type { Fields } from './config/fields.js';
import {
  bytes,
  choice,
  decimal,
  count,
  duration,
  optionalDuration,
  optionalWord,
  word,
  yesNo,
  zone,
} from './config/kinds.js';
import { command, environment } from './config/lists.js';
import { budgetSettings } from './config/budget-settings.js';
import { messageSizes } from './config/message-sizes.js';
import { providerSettings } from './config/provider-settings.js';
import { runtimeSettings } from './config/runtime-settings.js';
import { retentionSettings, upkeepSettings } from './config/upkeep-settings.js';
import type { GroupName } from './protocol/address.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const ROUND = 'The round';
const JUDGE = 'Judging a running container';
const RETRY = 'Retries and the restart guard';
const FILES = 'Session files and messages';
const ENGINE = 'Runtime, start and shutdown';
const AGENT = 'The agent and its container';
const BUDGET = 'Budgets: what sessions and groups may use';
const UPKEEP = 'Upkeep: what is closed, pruned and deleted';

/** Settings of the whole install. */
export const HOST_SETTINGS = z.object({
  SWEEP_INTERVAL_MS: duration({
    section: ROUND,
    text: 'Time from one round over all sessions to the next.',
    min: 50,
    max: HOUR,
    default: 60 * SECOND,
  }),
  MAX_CONCURRENT_CONTAINERS: count({
    section: ROUND,
    text: 'Most containers that run at the same time; further sessions wait for room.',
    min: 1,
    max: 10_000,
    default: 8,
  }),
  GATE_SLICE: count({
    section: ROUND,
    text: 'Quiet sessions whose files every round compares with what was seen last; all in turn, so that no news is missed.',
    min: 1,
    max: 100_000,
    default: 1000,
  }),
  GUARD_MAX_RESTARTS: count({
    section: RETRY,
    text: 'Restarts (1, 2, 4 s apart) after a first start that ended before it claimed anything; then the session is held.',
    min: 0,
    max: 20,
    default: 3,
  }),
  GUARD_PROBE_MS: duration({
    section: RETRY,
    text: 'Time between two probe starts of a held session.',
    min: 50,
    max: 7 * DAY,
    default: 15 * MINUTE,
  }),
  LOCKED_STOP_MS: duration({
    section: FILES,
    text: 'A container that keeps a session file locked against the host for longer is stopped.',
    min: 50,
    max: HOUR,
    default: 30 * SECOND,
  }),
  BUSY_RETRY_MAX_MS: duration({
    section: FILES,
    text: 'Longest pause before a busy session file is looked at again (1, 2, 4, 8 s, then this).',
    min: 50,
    max: HOUR,
    default: 10 * SECOND,
  }),
  FILE_WORKERS: count({
    section: FILES,
    text: 'Child processes that read and write session files; troubled sessions get one of their own beside them.',
    restart: true,
    min: 1,
    max: 64,
    default: 2,
  }),
  FILE_DEADLINE_MS: duration({
    section: FILES,
    text: 'A child that needs longer for one session is killed and replaced.',
    restart: true,
    min: 50,
    max: 10 * MINUTE,
    default: 2 * SECOND,
  }),
  OUTBOUND_MAX_BYTES: bytes({
    section: FILES,
    text: 'An outbound.db that is larger is not opened: the session is quarantined.',
    restart: true,
    min: 64 * 1024,
    max: 1024 * GIB,
    default: GIB,
  }),
  ...messageSizes(FILES),
  ...runtimeSettings(ENGINE),
  STOP_MODE: choice({
    section: ENGINE,
    text: 'On TERM: leave lets containers run to be adopted by the next start, drain lets turns finish and stops them.',
    choices: ['leave', 'drain'],
    default: 'leave',
  }),
  DRAIN_TIMEOUT_MS: duration({
    section: ENGINE,
    text: 'Longest wait of a drain for running turns.',
    min: 0,
    max: 7 * DAY,
    default: 5 * MINUTE,
  }),
  TIMEZONE: zone({
    section: ENGINE,
    text: 'Zone of recurring messages that name none.',
    default: 'UTC',
  }),
  LOG_LEVEL: choice({
    section: ENGINE,
    text: 'Least severe log line that is written to stderr.',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
  }),
  STALE_ACTIVE: choice({
    section: ENGINE,
    text: 'At start, claims without a container that are older than STALE_ACTIVE_MS: fail makes dead letters of them, retry takes them for any other unfinished turn.',
    restart: true,
    choices: ['fail', 'retry'],
    default: 'fail',
  }),
  STALE_ACTIVE_MS: duration({
    section: ENGINE,
    text: 'See STALE_ACTIVE; the age counts from the last sign of life of the turn.',
    restart: true,
    min: 50,
    max: 365 * DAY,
    default: 6 * HOUR,
  }),
  ...upkeepSettings(UPKEEP),
});

/** Settings that a group may have of its own. */
export const GROUP_SETTINGS = z.object({
  STALE_THRESHOLD_MS: duration({
    section: JUDGE,
    text: 'A heartbeat older than this is stale; with a claim past its tolerance the container is stopped.',
    min: 100,
    max: 30 * DAY,
    default: 10 * MINUTE,
  }),
  CLAIM_STUCK_MS: duration({
    section: JUDGE,
    text: 'Tolerance of a claim; a running tool that declared a timeout extends it.',
    min: 10,
    max: 30 * DAY,
    default: 60 * SECOND,
  }),
  MAX_TOOL_TIMEOUT_MS: duration({
    section: JUDGE,
    text: 'Longest timeout that a tool may declare; more counts as this.',
    min: 10,
    max: 30 * DAY,
    default: 2 * HOUR,
  }),
  ABSOLUTE_CEILING_MS: duration({
    section: JUDGE,
    text: 'No sign of life for longer (or for the timeout of the running tool, the larger): stopped, claim or not.',
    min: 100,
    max: 30 * DAY,
    default: 30 * MINUTE,
  }),
  NO_PROGRESS_MS: duration({
    section: JUDGE,
    text: 'A runner that declares progress and made none for longer while it holds a claim is stopped.',
    min: 50,
    max: 30 * DAY,
    default: 30 * MINUTE,
  }),
  TURN_TIMEOUT_MS: optionalDuration({
    section: JUDGE,
    text: 'Longest turn.',
    min: 50,
    max: 30 * DAY,
    unset: 'off',
    shown: 'off',
  }),
  COMMAND_OUTPUT_IS_PROGRESS: yesNo({
    section: JUDGE,
    text: 'Output of the `command` provider counts as progress; judged only where TURN_TIMEOUT_MS is set.',
    default: true,
  }),
  NOT_CLAIMING_MS: duration({
    section: JUDGE,
    text: 'A container that is alive, holds no claim and leaves a due message unclaimed for longer is stopped.',
    min: 50,
    max: 30 * DAY,
    default: 5 * MINUTE,
  }),
  IDLE_TIMEOUT_MS: duration({
    section: JUDGE,
    text: 'A container without claim and without due messages is stopped after this.',
    min: 50,
    max: 30 * DAY,
    default: 5 * MINUTE,
  }),
  START_GRACE_MS: duration({
    section: JUDGE,
    text: 'A container is not judged for this long after its confirmed start.',
    min: 0,
    max: DAY,
    default: 60 * SECOND,
  }),
  STOP_GRACE_MS: duration({
    section: JUDGE,
    text: 'Time between TERM and KILL when a container is stopped.',
    min: 0,
    max: HOUR,
    default: 10 * SECOND,
  }),
  HEARTBEAT_INTERVAL_MS: optionalDuration({
    section: JUDGE,
    text: 'Interval at which runners are asked to touch their heartbeat.',
    min: 10,
    max: DAY,
    unset: 'auto',
    shown: '10 s, or less: a sixth of STALE_THRESHOLD_MS or ABSOLUTE_CEILING_MS',
  }),
  MAX_TRIES: count({
    section: RETRY,
    text: 'Turns that did not end and are tried again; one more and the message is a dead letter.',
    min: 0,
    max: 20,
    default: 5,
  }),
  BACKOFF_BASE_MS: duration({
    section: RETRY,
    text: 'Pause before the first retry; doubles with every further one.',
    min: 1,
    max: DAY,
    default: 5 * SECOND,
  }),
  FOREIGN_ANSWERED: choice({
    section: RETRY,
    text: 'A claim left behind by a runner that is not ours, with an answer to it: try again, or take it for the end.',
    choices: ['retry', 'complete'],
    default: 'retry',
  }),
  PROVIDER: word({
    section: AGENT,
    text: 'What does the work of a session: echo, command, claude, anthropic, openai, openrouter, gemini, openai-compatible, or what the runner in the image knows besides.',
    pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    allowed: 'a name of 1 to 128 of A-Z a-z 0-9 _ . -',
    range: 'a name',
    default: 'echo',
  }),
  COMMAND: command({
    section: AGENT,
    text: "Program and arguments of the `command` provider; of `claude` what stands in front of the runner's own arguments.",
  }),
  ...providerSettings(AGENT),
  IMAGE: optionalWord({
    section: AGENT,
    text: 'Image of the containers; sessions with one never run on the process runtime.',
    pattern: /^[a-z0-9][a-zA-Z0-9._/:@-]{0,254}$/,
    allowed: 'the name of an image, such as registry.example/agent:1.2',
    range: 'an image',
    shown: 'the runner image',
  }),
  ENTRYPOINT: command({
    section: AGENT,
    text: 'Program and arguments that are started as the runner, in place of the entry point of the image or of our own runner.',
  }),
  ENVIRONMENT: environment({
    section: AGENT,
    text: 'Variables that containers are given; a group has its own beside those of all groups. Values are never printed.',
  }),
  NETWORK: word({
    section: AGENT,
    text: 'Network of the containers: none, bridge or the name of one (docker only).',
    pattern: /^(?!host$)[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    allowed: 'none, bridge or the name of a network; not host',
    range: 'a network, not `host`',
    default: 'bridge',
  }),
  MEMORY_BYTES: bytes({
    section: AGENT,
    text: 'Memory of a container, swap included (docker only).',
    min: 16 * MIB,
    max: 16 * 1024 * GIB,
    default: 2 * GIB,
  }),
  CPUS: decimal({
    section: AGENT,
    text: 'Processor time of a container, in cores (docker only).',
    min: 0.01,
    max: 1024,
    default: 1,
  }),
  PIDS: count({
    section: AGENT,
    text: 'Most processes and threads in a container (docker only).',
    min: 16,
    max: 1_000_000,
    default: 512,
  }),
  MAX_CLAIMS: count({
    section: AGENT,
    text: 'Most messages that a runner claims for one turn.',
    min: 1,
    max: 1000,
    default: 10,
  }),
  ...budgetSettings(BUDGET),
  ...retentionSettings(UPKEEP),
});

export type HostSettingName = keyof typeof HOST_SETTINGS.shape;
export type GroupSettingName = keyof typeof GROUP_SETTINGS.shape;
export type SettingName = HostSettingName | GroupSettingName;

/** What holds for the sessions of one group: its own settings over those of all groups. */
export type GroupSettings = Fields<z.output<typeof GROUP_SETTINGS>>;

/** Every setting: durations in milliseconds, sizes in bytes, null for what is off or left to its default. */
export interface SettingValues extends Fields<z.output<typeof HOST_SETTINGS>>, GroupSettings {}

export interface Settings extends SettingValues {
  /** Groups that have settings of their own. */
  readonly groups: ReadonlyMap<string, GroupSettings>;
  /** Where each setting that is not at its default came from; those of groups as `groups.<name>.<SETTING>`. */
  readonly sources: ReadonlyMap<string, SettingSource>;
  /** The config file that was read; null: there was none. */
  readonly file: string | null;
  /** What was wrong but harmless, for the log. */
  readonly warnings: readonly string[];
}

export interface SettingSource {
  readonly from: 'file' | 'environment' | 'flag';
  /** `/data/config.yaml:4`, `NIGHTPORTER_MAX_TRIES`, `--runtime`. */
  readonly place: string;
}

/** `SWEEP_INTERVAL_MS` is `sweepIntervalMs`. */
export function fieldOf(name: SettingName): keyof SettingValues {
  return name.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof SettingValues;
}

export function groupSettings(settings: Settings, group: GroupName): GroupSettings {
  return settings.groups.get(group) ?? settings;
}

/** The interval that runners are told, milliseconds. */
export function heartbeatIntervalMs(group: GroupSettings): number {
  const derived = Math.min(10 * SECOND, group.staleThresholdMs / 6, group.absoluteCeilingMs / 6);
  return group.heartbeatIntervalMs ?? Math.max(10, Math.floor(derived));
}
