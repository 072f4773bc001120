import type { MessageId, SessionAddress } from '../../../src/protocol/address.js';
import { findAddress } from '../../../src/protocol/address.js';
import type { AckRow, ContainerStateRow, MessageRow } from '../../../src/protocol/rows.js';
import { formatInstant, parseInstant } from '../../../src/protocol/times.js';
import type { Action } from '../../../src/core/action.js';
import { NO_NOTES } from '../../../src/protocol/runner-notes.js';
import type { AckedMessage, FilesFacts } from '../../../src/core/facts.js';
import { freshGuard } from '../../../src/core/guard.js';
import { noteLook } from '../../../src/core/memory.js';
import type { RunningMemory } from '../../../src/core/memory.js';
import type { ContainerFacts, PassContext, SessionObservation } from '../../../src/core/observation.js';
import type { Policy } from '../../../src/core/policy.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Some noon; the monotonic clock started a while before. */
export const NOW = Date.UTC(2026, 2, 14, 12);
export const MONOTONIC = 5_000_000;

const NO_BUDGET = { turnsPerHour: null, tokensPerDay: null, costPerDayMicros: null };

/** The defaults of the settings. */
export const POLICY: Policy = {
  sweepIntervalMs: MINUTE,
  staleThresholdMs: 10 * MINUTE,
  claimStuckMs: MINUTE,
  absoluteCeilingMs: 30 * MINUTE,
  noProgressMs: 30 * MINUTE,
  turnTimeoutMs: null,
  notClaimingMs: 5 * MINUTE,
  idleTimeoutMs: 5 * MINUTE,
  startGraceMs: MINUTE,
  maxTries: 5,
  backoffBaseMs: 5 * SECOND,
  maxToolTimeoutMs: 2 * HOUR,
  budgets: { session: NO_BUDGET, group: NO_BUDGET },
  lockedStopMs: 30 * SECOND,
  guardMaxRestarts: 3,
  guardProbeMs: 15 * MINUTE,
  timezone: 'UTC',
  foreignAnswered: 'retry',
  staleActive: 'fail',
  staleActiveMs: 6 * HOUR,
  maxSessionAgeMs: DAY,
  progressJudged: true,
};

export const CONTEXT: PassContext = { nowMs: NOW, monotonicMs: MONOTONIC, stalenessWaits: null };

export function idOf(text: string): MessageId {
  return text as MessageId;
}

export function addressOf(text: string): SessionAddress {
  const parts = findAddress(text);
  if (parts === undefined) throw new Error(`bad address in a test: ${text}`);
  return parts.address;
}

export function message(over: Partial<MessageRow> = {}): MessageRow {
  return {
    id: idOf('m1'),
    seq: 2,
    status: 'pending',
    trigger: true,
    timestampMs: NOW - HOUR,
    processAfterMs: null,
    tries: 0,
    attempt: 0,
    settledClaim: null,
    deferrals: 0,
    recurrence: null,
    seriesId: null,
    timezone: null,
    missed: 'latest',
    occurrenceMs: null,
    ...over,
  };
}

export interface AckSpec extends Partial<AckRow> {
  readonly atMs?: number;
}

export function ack({ atMs = NOW - 10 * SECOND, ...over }: AckSpec = {}): AckRow {
  const statusChanged = over.statusChanged ?? formatInstant(atMs);
  return {
    messageId: idOf('m1'),
    status: 'processing',
    statusChanged,
    statusChangedMs: parseInstant(statusChanged),
    attempt: 0,
    incarnation: 7,
    error: null,
    errorClass: null,
    retryAtMs: null,
    ...over,
  };
}

/** A message with its ack; both of `m1` unless named. */
export function acked(ackOver: AckSpec = {}, messageOver: Partial<MessageRow> = {}, answered = false): AckedMessage {
  const row = message(messageOver);
  return { message: row, ack: ack({ messageId: row.id, ...ackOver }), answered };
}

/** An ack of a runner that knows neither attempts nor incarnations and writes whole seconds. */
export function foreign(over: AckSpec = {}): AckSpec {
  return { statusChanged: '2026-03-14 11:59:50', attempt: null, incarnation: null, ...over };
}

export function state(over: Partial<ContainerStateRow> = {}): ContainerStateRow {
  return {
    currentTool: null,
    toolDeclaredTimeoutMs: null,
    toolStartedAtMs: null,
    updatedAtMs: NOW - SECOND,
    incarnation: 7,
    heartbeatIntervalMs: null,
    progressAtMs: null,
    ...over,
  };
}

export function facts(over: Partial<FilesFacts> = {}): FilesFacts {
  return {
    acked: [],
    strayClaims: [],
    marksToClear: [],
    dueSeries: [],
    replays: [],
    liveSeries: 0,
    due: { dueCount: 0, oldestDueAtMs: null, nextDueAtMs: null },
    counts: { pending: 0, processing: 0, completed: 0, failed: 0, paused: 0 },
    heartbeatMtimeMs: null,
    containerState: null,
    notes: NO_NOTES,
    answers: { count: 0, mark: 0 },
    newestAck: null,
    lastActiveMs: null,
    ...over,
  };
}

export function due(dueAtMs: number): Partial<FilesFacts> {
  return { due: { dueCount: 1, oldestDueAtMs: dueAtMs, nextDueAtMs: null } };
}

export type Running = Extract<ContainerFacts, { readonly kind: 'running' }>;

export function running(over: Partial<Running> = {}): Running {
  return { kind: 'running', epoch: 7, startedAtMs: NOW - 2 * HOUR, outdated: false, ...over };
}

/**
 * What the host remembers after it watched for `forMs` how things came to be as `found` says: it looked first then,
 * and whenever something changed. What lies in the future it found as it is.
 */
export function watched(found: FilesFacts, forMs: number, container: Running = running()): RunningMemory {
  const ageMs = NOW - container.startedAtMs;
  const fromMs = NOW - (ageMs > 0 ? Math.min(forMs, ageMs) : forMs);
  const claims = found.acked.map(({ ack: row }) => row.statusChangedMs);
  const { heartbeatMtimeMs, containerState, due: work } = found;
  const row = containerState;
  const changes = [heartbeatMtimeMs, row?.progressAtMs, row?.toolStartedAtMs, row?.updatedAtMs, work.oldestDueAtMs];
  const looks = [...claims, ...changes, fromMs, NOW]
    .filter((at) => typeof at === 'number')
    .filter((at) => at >= fromMs && at <= NOW)
    .sort((a, b) => a - b);
  const memory = looks.reduce<RunningMemory | undefined>(
    (before, at) => noteLook(before, asOf(found, at), container, at, MONOTONIC - (NOW - at)),
    undefined,
  );
  if (memory === undefined) throw new Error('the last look is always now');
  return memory;
}

function asOf(found: FilesFacts, at: number): FilesFacts {
  const was = (value: number | null): number | null => (value === null || value <= at || value > NOW ? value : at - 1);
  const { containerState: row, due: work } = found;
  return {
    ...found,
    acked: found.acked.filter(({ ack: { statusChangedMs: ms } }) => ms === undefined || ms <= at || ms > NOW),
    due: work.oldestDueAtMs !== null && work.oldestDueAtMs > at ? { ...work, dueCount: 0, oldestDueAtMs: null } : work,
    heartbeatMtimeMs: was(found.heartbeatMtimeMs),
    containerState:
      row === null
        ? null
        : {
            ...row,
            progressAtMs: was(row.progressAtMs),
            toolStartedAtMs: was(row.toolStartedAtMs),
            updatedAtMs: was(row.updatedAtMs),
          },
  };
}

/** An observation of what `found` says; the host watched it for `watchedForMs` (0: it looks for the first time). */
export function observe(
  found: FilesFacts,
  over: Partial<SessionObservation> & { readonly watchedForMs?: number } = {},
): SessionObservation {
  const { watchedForMs = 0, ...rest } = over;
  const container = rest.container ?? { kind: 'none' };
  const memory = watched(found, watchedForMs, container.kind === 'running' ? container : running({ epoch: 0 }));
  return {
    status: 'active',
    quarantined: false,
    blocked: false,
    guard: freshGuard(),
    epoch: 7,
    lastEnd: null,
    container,
    files: { kind: 'read', facts: found, memory },
    draining: false,
    gate: { kind: 'open' },
    budget: { kind: 'within' },
    leftBehind: false,
    ...rest,
  };
}

/** `kind reason` of each action. */
export function said(actions: readonly Action[]): string[] {
  return actions.map(({ kind, reason }) => `${kind} ${reason}`);
}

export function only<K extends Action['kind']>(
  actions: readonly Action[],
  kind: K,
): Extract<Action, { readonly kind: K }>[] {
  return actions.filter((action): action is Extract<Action, { readonly kind: K }> => action.kind === kind);
}
