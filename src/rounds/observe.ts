import { noteLook } from '../core/memory.js';
import type { FilesFacts } from '../core/facts.js';
import type { ContainerFacts, FilesObservation, LastEnd, SessionObservation } from '../core/observation.js';
import type { IncarnationRecord, SessionRecord } from '../ports/registry.js';
import type { Container } from '../ports/runtime.js';
import type { FilesLook, FilesOutcome } from '../ports/session-files.js';
import { containerName, specHash } from './container-spec.js';
import { isUp } from './fleet.js';
import type { Supervised } from './fleet.js';
import type { Porter } from './porter.js';

/** SQLite has to say it of the same bytes this often before a file counts as corrupt: a shared folder can tear a read. */
const CORRUPT_LOOKS = 3;
/** How much of an incarnation's output a message's error names; all of it is in the registry. */
const LAST_OUTPUT_CHARS = 1_000;

/** Asks the runtime what the session has; `unknown` while the runtime is down or has not told yet. */
export async function inspectSession(porter: Porter, record: SessionRecord): Promise<Container | null | 'unknown'> {
  const name = containerName(porter.specs.install, record.address);
  const answer = await porter.gate.call((runtime) => runtime.inspect(name));
  return answer === undefined ? 'unknown' : (answer.value ?? null);
}

export function containerFacts(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  found: Container | null | 'unknown',
): ContainerFacts {
  if (one.inFlight !== null) return { kind: 'in_flight' };
  if (found === 'unknown') return { kind: 'unknown' };
  if (found === null || !isUp(found)) return { kind: 'none' };
  const known = porter.registry.findIncarnation(record.address, found.epoch);
  return {
    kind: 'running',
    epoch: found.epoch,
    startedAtMs: found.startedAtMs ?? known?.startedAtMs ?? known?.begunAtMs ?? porter.clock.now(),
    outdated: found.specHash !== specHash(porter.specs, record),
  };
}

/** Turns a look's outcome into what the plan may depend on, and remembers what the next look needs. */
export function filesObservation(
  porter: Porter,
  one: Supervised,
  container: ContainerFacts,
  outcome: FilesOutcome<FilesLook>,
): FilesObservation {
  if (outcome.kind !== 'busy') {
    one.busySinceMs = null;
    one.busyLooks = 0;
  }
  if (outcome.kind !== 'corrupt') one.corrupt = null;
  switch (outcome.kind) {
    case 'ok':
      return readObservation(porter, one, container, outcome);
    case 'busy':
      one.busySinceMs ??= porter.clock.monotonic();
      one.busyLooks += 1;
      return { kind: 'busy', forMs: porter.clock.monotonic() - one.busySinceMs, detail: outcome.detail };
    case 'hostile':
      return { kind: 'hostile', file: outcome.file, detail: outcome.detail };
    case 'corrupt': {
      const looks = one.corrupt?.signature === outcome.signature ? one.corrupt.looks + 1 : 1;
      one.corrupt = { signature: outcome.signature, looks };
      if (looks < CORRUPT_LOOKS) return { kind: 'unread' };
      return { kind: 'corrupt', file: outcome.file, detail: outcome.detail };
    }
    case 'missing':
      return { kind: 'unread' };
  }
}

function readObservation(
  porter: Porter,
  one: Supervised,
  container: ContainerFacts,
  look: FilesLook,
): FilesObservation {
  const running = container.kind === 'running' ? container : { epoch: 0, startedAtMs: porter.clock.now() };
  const memory = noteLook(one.memory, look, running, porter.clock.now(), porter.clock.monotonic());
  if (container.kind === 'running') one.memory = memory;
  if (container.kind === 'none') one.memory = undefined;
  one.signature = look.signature;
  return { kind: 'read', facts: look, memory };
}

export function sessionObservation(
  porter: Porter,
  record: SessionRecord,
  one: Supervised,
  container: ContainerFacts,
  files: FilesObservation,
): SessionObservation {
  const last = porter.registry.findIncarnation(record.address, record.epoch);
  return {
    status: record.status,
    quarantined: record.quarantine !== null,
    blocked: one.blocked,
    guard: porter.registry.guard(record.address),
    epoch: record.epoch,
    lastEnd: last === undefined || last.stoppedAtMs === null ? null : lastEnd(last),
    container,
    files,
    draining: porter.isDraining(),
    gate: porter.providers.permission(record),
    budget: porter.budgets.permission(record),
    leftBehind: porter.leftBehind.has(record.address),
  };
}

function lastEnd({ stopReason, exitCode, oomKilled, startedAtMs, begunAtMs, output }: IncarnationRecord): LastEnd {
  const lastOutput = (output ?? '').slice(-LAST_OUTPUT_CHARS).trim();
  return { stopReason, exitCode, oomKilled, startedAtMs: startedAtMs ?? begunAtMs, lastOutput };
}

/** What the files will say once the spooled messages are in them: a dry run's look into the future. */
export function withSpooled(
  facts: FilesFacts,
  spooled: readonly {
    readonly trigger: boolean;
    readonly processAfterMs: number | null;
    readonly timestampMs: number;
  }[],
  nowMs: number,
): FilesFacts {
  let { dueCount, oldestDueAtMs, nextDueAtMs } = facts.due;
  for (const message of spooled) {
    if (!message.trigger) continue;
    const dueAtMs = message.processAfterMs ?? Math.min(message.timestampMs, nowMs);
    if (dueAtMs <= nowMs) {
      dueCount += 1;
      oldestDueAtMs = Math.min(oldestDueAtMs ?? dueAtMs, dueAtMs);
    } else {
      nextDueAtMs = Math.min(nextDueAtMs ?? dueAtMs, dueAtMs);
    }
  }
  return { ...facts, due: { dueCount, oldestDueAtMs, nextDueAtMs } };
}
