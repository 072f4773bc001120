/** Where a container sees its session's folders (the process runtime gives real paths instead). */
export const CONTAINER_IN = '/nightporter/in';
export const CONTAINER_WORKSPACE = '/workspace';

/** Names inside a session's folder. */
export const IN_FOLDER = 'in';
export const OUT_FOLDER = 'out';
export const HOST_FOLDER = 'host';
export const INBOUND_FILE = 'inbound.db';
export const OUTBOUND_FILE = 'outbound.db';
export const HEARTBEAT_FILE = '.heartbeat';
export const INBOX_FOLDER = 'inbox';
export const OUTBOX_FOLDER = 'outbox';

/** Environment variables that a runner is given; all values are text. */
export const RUNNER_ENV = {
  /** Read-write folder with outbound.db, .heartbeat, outbox/. */
  workspace: 'NIGHTPORTER_WORKSPACE',
  /** Path of inbound.db, read-only. */
  inbound: 'NIGHTPORTER_INBOUND',
  /** `group/session`. */
  session: 'NIGHTPORTER_SESSION',
  /** This incarnation's number, decimal. */
  epoch: 'NIGHTPORTER_EPOCH',
  /** Version of the wire format, decimal. */
  protocol: 'NIGHTPORTER_PROTOCOL',
  /** Interval at which the heartbeat is wanted, milliseconds. */
  heartbeatMs: 'NIGHTPORTER_HEARTBEAT_MS',
  /** Most messages to claim for one turn. */
  maxClaims: 'NIGHTPORTER_MAX_CLAIMS',
  /** Leave after so many turns, so that every further one is decided on by the host; without it, when idle. */
  maxTurns: 'NIGHTPORTER_MAX_TURNS',
  /** `echo`, `command`, `claude`, ...: see docs/providers.md. */
  provider: 'NIGHTPORTER_PROVIDER',
  /** The `command` provider's program and arguments, or what is put in front of `claude`'s: a JSON array of strings. */
  command: 'NIGHTPORTER_COMMAND',
  /** Leave with exit code 0 after this long without work, milliseconds. */
  idleMs: 'NIGHTPORTER_IDLE_MS',
  /** Given by our runner to the program of the `command` provider: a folder of its own for each turn; see the runner. */
  outbox: 'NIGHTPORTER_OUTBOX',
  /** Time between TERM and KILL, milliseconds; without it 10 s is assumed. */
  stopGraceMs: 'NIGHTPORTER_STOP_GRACE_MS',
  /** A provider's session id that was not used for longer is not resumed, milliseconds; 0: always is; without it 24 h. */
  maxSessionAgeMs: 'NIGHTPORTER_MAX_SESSION_AGE_MS',
  /** Messages and answers, in all, that a provider without sessions of its own is told of again; without it 50. */
  historyMaxMessages: 'NIGHTPORTER_HISTORY_MAX_MESSAGES',
  /** The bytes of their texts; without it 256 KiB. */
  historyMaxBytes: 'NIGHTPORTER_HISTORY_MAX_BYTES',
  /** Providers that stand in for one that is down, in this order: a JSON array of strings. */
  fallbackProviders: 'NIGHTPORTER_FALLBACK_PROVIDERS',
  /** A JSON object from providers to their models. */
  models: 'NIGHTPORTER_MODEL',
  /** A JSON object from providers to where they are asked. */
  baseUrls: 'NIGHTPORTER_BASE_URL',
  /** Longest wait for the next byte of a provider that is asked over HTTP, milliseconds; without it 2 min. */
  callDeadlineMs: 'NIGHTPORTER_CALL_DEADLINE_MS',
} as const;
