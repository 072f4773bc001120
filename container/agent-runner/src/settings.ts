import { findAddress } from '../../../src/protocol/address.js';
import type { SessionAddress } from '../../../src/protocol/address.js';
import { PROTOCOL_VERSION } from '../../../src/protocol/schema.js';
import { RUNNER_ENV } from '../../../src/protocol/workspace.js';
import { readProviders } from './provider-choice.js';
import type { ProviderChoice } from './provider-choice.js';

export interface Settings {
  readonly workspace: string;
  /** Path of inbound.db. */
  readonly inbound: string;
  readonly session: SessionAddress;
  /** This incarnation's number. */
  readonly epoch: number;
  readonly heartbeatMs: number;
  /** Most triggering messages in one turn. */
  readonly maxClaims: number;
  /** After so many turns it leaves; Infinity: when it is idle. */
  readonly maxTurns: number;
  readonly idleMs: number;
  /** Between TERM and KILL. */
  readonly stopGraceMs: number;
  /** A resume id that was not used for longer is not used any more; 0: always. */
  readonly maxSessionAgeMs: number;
  /** Messages and answers that a provider without sessions of its own is told of again. */
  readonly historyMaxMessages: number;
  readonly historyMaxBytes: number;
  /** Longest wait for the next byte of a provider that is asked over HTTP. */
  readonly callDeadlineMs: number;
  /** The session's own first, then those that stand in for one that is down. */
  readonly providers: readonly [ProviderChoice, ...ProviderChoice[]];
}

export type SettingsResult =
  { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the NIGHTPORTER_* environment, all problems at once. Without a value: heartbeat 10 s, 10 claims, idle 5 min,
 * stop grace 10 s, resume ids 24 h, a provider's silence 2 min; everything else is required.
 */
export function readSettings(env: Environment): SettingsResult {
  const problems: string[] = [];
  const text = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') problems.push(`${name} is not set`);
    return value ?? '';
  };
  const integer = (name: string, min: number, max: number, absent?: number): number => {
    const value = env[name];
    if ((value === undefined || value === '') && absent !== undefined) return absent;
    const number = /^\d{1,16}$/.test(text(name)) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    if (value !== undefined && value !== '') {
      problems.push(`${name} must be an integer from ${String(min)} to ${String(max)}, not ${quote(value)}`);
    }
    return 0;
  };

  const protocol = text(RUNNER_ENV.protocol);
  if (protocol !== '' && protocol !== String(PROTOCOL_VERSION)) {
    problems.push(`${RUNNER_ENV.protocol} is ${quote(protocol)}: this runner speaks ${String(PROTOCOL_VERSION)} only`);
  }
  const workspace = text(RUNNER_ENV.workspace);
  const inbound = text(RUNNER_ENV.inbound);
  const address = text(RUNNER_ENV.session);
  const session = findAddress(address)?.address;
  if (address !== '' && session === undefined) problems.push(`${RUNNER_ENV.session} must be <group>/<session>`);
  const epoch = integer(RUNNER_ENV.epoch, 1, Number.MAX_SAFE_INTEGER);
  const heartbeatMs = integer(RUNNER_ENV.heartbeatMs, 10, 600_000, 10_000);
  const maxClaims = integer(RUNNER_ENV.maxClaims, 1, 1_000, 10);
  const maxTurns = integer(RUNNER_ENV.maxTurns, 1, 1_000_000, Infinity);
  const idleMs = integer(RUNNER_ENV.idleMs, 1, 2_147_483_647, 300_000);
  const stopGraceMs = integer(RUNNER_ENV.stopGraceMs, 0, 3_600_000, 10_000);
  const maxSessionAgeMs = integer(RUNNER_ENV.maxSessionAgeMs, 0, Number.MAX_SAFE_INTEGER, 86_400_000);
  const historyMaxMessages = integer(RUNNER_ENV.historyMaxMessages, 0, 100_000, 50);
  const historyMaxBytes = integer(RUNNER_ENV.historyMaxBytes, 0, 1_073_741_824, 262_144);
  const callDeadlineMs = integer(RUNNER_ENV.callDeadlineMs, 1, 2_147_483_647, 120_000);
  const providers = readProviders(text(RUNNER_ENV.provider), env, problems);

  if (problems.length > 0 || session === undefined || providers === undefined) return { ok: false, problems };
  return {
    ok: true,
    settings: {
      ...{ workspace, inbound, session, epoch, heartbeatMs, maxClaims, maxTurns, idleMs, stopGraceMs },
      ...{ maxSessionAgeMs, historyMaxMessages, historyMaxBytes, callDeadlineMs, providers },
    },
  };
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 40));
}
