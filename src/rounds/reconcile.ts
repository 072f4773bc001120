import { planReconcile } from '../core/plan/reconcile.js';
import type { ContainerAction, KnownSession, RemoveReason } from '../core/plan/reconcile.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Container } from '../ports/runtime.js';
import type { SweepAction } from '../ports/rounds.js';
import { specHash } from './container-spec.js';
import { isUp, setInFlight } from './fleet.js';
import type { Supervised } from './fleet.js';
import type { Porter } from './porter.js';
import { answered } from './runtime-gate.js';

export interface PlannedContainer {
  readonly container: Container;
  readonly action: SweepAction;
}

/**
 * One list of what carries this install's label, against what the registry knows: takes over what live sessions own,
 * removes the rest. Part of every round, the first one included; only starts in flight in this process are spared.
 */
export async function reconcile(porter: Porter, record: (action: SweepAction) => void): Promise<void> {
  // What starts, stops or appears while the list is made is not judged by it.
  const before = new Map([...porter.fleet.entries()].map(([session, one]) => [session, { ...one }]));
  const answer = await porter.gate.call((runtime) => answered('list', runtime.list()));
  if (answer === undefined) return;
  const wasDown = porter.gate.takeRecovery();
  const containers = answer.value;
  const seen = new Set(containers.map((container) => container.id));
  for (const [session, one] of porter.fleet.entries()) {
    const known = before.get(session)?.container ?? null;
    if (known === null || seen.has(known.id) || isBusy(porter, before, session)) continue;
    if (one.container?.id === known.id) one.container = null;
  }
  for (const [id, session] of porter.fleet.unremovable) {
    if (seen.has(id)) continue;
    porter.fleet.unremovable.delete(id);
    porter.notices.settle('unstoppable', session);
  }
  for (const decision of decide(porter, containers, before)) {
    const { container } = decision;
    switch (decision.kind) {
      case 'keep':
        if (decision.reason === 'owned') takeOver(porter, container, wasDown);
        break;
      case 'adopt':
      case 'replace_when_idle':
      case 'harvest':
        takeOver(porter, container, wasDown);
        break;
      case 'remove':
        record(removal(container, decision.reason));
        remove(porter, container, decision.reason);
        break;
    }
  }
  porter.fleet.known = true;
}

/** What a round would remove, for a dry run. */
export function planContainers(porter: Porter, containers: readonly Container[]): readonly PlannedContainer[] {
  return decide(porter, containers, new Map()).flatMap((decision) =>
    decision.kind === 'remove'
      ? [{ container: decision.container, action: removal(decision.container, decision.reason) }]
      : [],
  );
}

type Before = ReadonlyMap<SessionAddress, Supervised>;

function isBusy(porter: Porter, before: Before, session: SessionAddress): boolean {
  const now = porter.fleet.find(session);
  return (before.get(session)?.inFlight ?? null) !== null || (now?.inFlight ?? null) !== null;
}

function decide(
  porter: Porter,
  containers: readonly Container[],
  before: Before,
): readonly ContainerAction<Container>[] {
  const { fleet, registry, specs } = porter;
  const sessions = new Map<SessionAddress, KnownSession>();
  for (const { session } of containers) {
    const record = session === undefined ? undefined : registry.findSession(session);
    if (record === undefined) continue;
    const inFlight = isBusy(porter, before, record.address);
    const { status, epoch } = record;
    sessions.set(record.address, { status, epoch, specHash: specHash(specs, record), inFlight });
  }
  const owned = new Set(fleet.running().map(({ container }) => container.id as string));
  return planReconcile(containers, sessions, { install: specs.install, orphans: porter.settings().orphans, owned });
}

function takeOver(porter: Porter, container: Container, engineRestarted: boolean): void {
  const { session } = container;
  if (session === undefined) return;
  const one = porter.fleet.at(session);
  const isNew = one.container?.id !== container.id;
  one.container = container;
  if (!isNew && !engineRestarted) return;
  const known = porter.registry.findIncarnation(session, container.epoch);
  // What the host had decided before goes on counting.
  if (engineRestarted && container.state === 'exited' && (known?.stopReason ?? null) === null) {
    porter.registry.markStopping(session, container.epoch, 'engine_restart');
  }
  if (!isNew) return;
  if (known === undefined || known.startedAtMs === null) {
    const startedAtMs = container.startedAtMs ?? porter.clock.now();
    const { epoch, id: containerId, specHash: hash } = container;
    porter.registry.adoptIncarnation(session, { epoch, containerId, specHash: hash, startedAtMs });
    closeOlder(porter, session, epoch);
  }
  if (container.state === 'exited') return;
  porter.log.info({ session, epoch: container.epoch, containerId: container.id }, 'container adopted');
}

/** Incarnations that only a restored registry still takes for running: a newer one was found. */
function closeOlder(porter: Porter, session: SessionAddress, epoch: number): void {
  for (const open of porter.registry.openIncarnations()) {
    if (open.session !== session || open.epoch >= epoch) continue;
    porter.registry.endIncarnation(session, open.epoch, {
      stoppedAtMs: porter.clock.now(),
      exitCode: null,
      signal: null,
      oomKilled: false,
      turnsCompleted: 0,
      output: '',
      fruitless: false,
    });
  }
}

/** Until it is gone its session counts as in flight: nothing of it is settled or woken meanwhile. */
function remove(porter: Porter, container: Container, reason: RemoveReason): void {
  const { id: containerId, name, session, epoch } = container;
  porter.log.info({ containerId, name, session, epoch, reason }, 'removing orphan');
  const one = beginRemoval(porter, container, reason);
  porter.operations.run('remove', async () => {
    try {
      const removed = await porter.gate.callAboutOne((runtime) => runtime.remove(containerId));
      if (removed === undefined) return;
      if (porter.fleet.unremovable.delete(containerId)) porter.notices.settle('unstoppable', session ?? null);
      const now = session === undefined ? undefined : porter.fleet.find(session);
      if (now?.container?.id === containerId) now.container = null;
    } catch (err) {
      tellUnremovable(porter, container, err);
    } finally {
      if (one !== undefined) setInFlight(one, null);
      if (session !== undefined) porter.hint(session);
    }
  });
}

function beginRemoval(porter: Porter, container: Container, reason: RemoveReason): Supervised | undefined {
  const { session, epoch } = container;
  if (session === undefined || !isUp(container) || porter.registry.findSession(session) === undefined) return undefined;
  const known = porter.registry.findIncarnation(session, epoch);
  if (known?.stoppedAtMs === null && known.stopReason === null) {
    porter.registry.markStopping(session, epoch, reason === 'closed_session' ? 'closed' : 'orphan');
  }
  const one = porter.fleet.at(session);
  if (one.inFlight !== null) return undefined;
  setInFlight(one, 'stopping');
  return one;
}

function tellUnremovable(porter: Porter, { id: containerId, name, session }: Container, err: unknown): void {
  porter.log.error({ err, containerId, name, session }, 'container cannot be removed');
  porter.fleet.unremovable.set(containerId, session ?? null);
  porter.notices.raise(
    'unstoppable',
    session ?? null,
    `the container ${name} (${containerId}) could not be removed (${err instanceof Error ? err.message : String(err)}); it is tried again in every round: end it by hand`,
  );
}

function removal(container: Container, reason: string): SweepAction {
  const { session, name, epoch, id } = container;
  return { session: session ?? null, action: 'remove', reason, container: name, containerId: id, epoch };
}
