import { planReconcile } from '../core/plan/reconcile.js';
import type { ContainerAction, KnownSession } from '../core/plan/reconcile.js';
import type { SessionAddress } from '../protocol/address.js';
import type { Container } from '../ports/runtime.js';
import type { SweepAction } from '../ports/rounds.js';
import { specHash } from './container-spec.js';
import type { Supervised } from './fleet.js';
import type { Porter } from './porter.js';

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
  const answer = await porter.gate.call((runtime) => runtime.list());
  if (answer === undefined) return;
  const wasDown = porter.gate.takeRecovery();
  const containers = answer.value;
  const seen = new Set(containers.map((container) => container.id));
  for (const [session, one] of porter.fleet.entries()) {
    const known = before.get(session)?.container ?? null;
    if (known === null || seen.has(known.id) || isBusy(porter, before, session)) continue;
    if (one.container?.id === known.id) one.container = null;
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
  const { fleet, registry, settings, specs } = porter;
  const sessions = new Map<SessionAddress, KnownSession>();
  for (const { session } of containers) {
    const record = session === undefined ? undefined : registry.findSession(session);
    if (record === undefined) continue;
    const inFlight = isBusy(porter, before, record.address);
    const { status, epoch } = record;
    sessions.set(record.address, { status, epoch, specHash: specHash(specs, record), inFlight });
  }
  const owned = new Set(fleet.running().map(({ container }) => container.id as string));
  return planReconcile(containers, sessions, { orphans: settings.orphans, owned });
}

function takeOver(porter: Porter, container: Container, engineRestarted: boolean): void {
  const { session } = container;
  if (session === undefined) return;
  const one = porter.fleet.at(session);
  const isNew = one.container?.id !== container.id;
  one.container = container;
  if (engineRestarted && container.state === 'exited') {
    porter.registry.markStopping(session, container.epoch, 'engine_restart');
  }
  if (!isNew) return;
  const known = porter.registry.findIncarnation(session, container.epoch);
  if (known === undefined || known.startedAtMs === null) {
    const startedAtMs = container.startedAtMs ?? porter.clock.now();
    const { epoch, id: containerId, specHash: hash } = container;
    porter.registry.adoptIncarnation(session, { epoch, containerId, specHash: hash, startedAtMs });
  }
  if (container.state === 'exited') return;
  porter.log.info({ session, epoch: container.epoch, containerId: container.id }, 'container adopted');
}

function remove(porter: Porter, container: Container, reason: string): void {
  const { id: containerId, name, session, epoch } = container;
  porter.log.info({ containerId, name, session, epoch, reason }, 'removing orphan');
  porter.operations.run('remove', async () => {
    await porter.gate.call((runtime) => runtime.remove(containerId));
    if (session === undefined) return;
    const one = porter.fleet.find(session);
    if (one?.container?.id === containerId) one.container = null;
    porter.hint(session);
  });
}

function removal(container: Container, reason: string): SweepAction {
  const { session, name, epoch, id } = container;
  return { session: session ?? null, action: 'remove', reason, container: name, containerId: id, epoch };
}
