import type { SessionAddress } from '../../protocol/address.js';

/** A container that the runtime lists, as far as reconciling needs to know it. */
export interface ListedContainer {
  readonly id: string;
  /** As its label says; undefined: it has none. */
  readonly install: string | undefined;
  /** undefined: its label is no address. */
  readonly session: SessionAddress | undefined;
  readonly epoch: number;
  readonly specHash: string;
  readonly state: 'created' | 'running' | 'paused' | 'exited';
}

export interface KnownSession {
  readonly status: 'active' | 'suspended' | 'closed';
  /** Number of the incarnation begun last; 0: none. */
  readonly epoch: number;
  /** What a container of it should have been made from; null: not known now. */
  readonly specHash: string | null;
  /** A start or stop of this process is in flight. */
  readonly inFlight: boolean;
}

export interface ReconcileOptions {
  /** Of this data dir. What carries another install's label, or none, is never touched, whatever the runtime lists. */
  readonly install: string;
  readonly orphans: 'adopt' | 'remove';
  /** Containers that this process started or adopted already. */
  readonly owned: ReadonlySet<string>;
  /** The container that this process itself runs in. */
  readonly self?: string | undefined;
}

export type RemoveReason =
  'no_session' | 'closed_session' | 'older_epoch' | 'duplicate' | 'orphans_remove' | 'never_started';

export type ContainerAction<C extends ListedContainer> = { readonly container: C } & (
  | { readonly kind: 'keep'; readonly reason: 'owned' | 'in_flight' | 'self' | 'foreign' }
  | { readonly kind: 'adopt'; readonly reason: 'live_session' }
  /** Its claim runs to the end. `adopt`: it is not owned yet. */
  | { readonly kind: 'replace_when_idle'; readonly reason: 'outdated'; readonly adopt: boolean }
  | { readonly kind: 'remove'; readonly reason: RemoveReason }
  | { readonly kind: 'harvest'; readonly reason: 'exited' }
);

/** What to do with each container that the runtime lists, in the order of the list. */
export function planReconcile<C extends ListedContainer>(
  containers: readonly C[],
  sessions: ReadonlyMap<SessionAddress, KnownSession>,
  options: ReconcileOptions,
): ContainerAction<C>[] {
  const isUp = ({ state, install }: C): boolean =>
    install === options.install && (state === 'running' || state === 'paused');
  const up = containers.filter(isUp);
  return containers.map((container) => {
    if (container.install !== options.install) return { container, kind: 'keep', reason: 'foreign' };
    if (container.id === options.self) return { container, kind: 'keep', reason: 'self' };
    const known = container.session === undefined ? undefined : sessions.get(container.session);
    if (known === undefined) return { container, kind: 'remove', reason: 'no_session' };
    if (known.inFlight) return { container, kind: 'keep', reason: 'in_flight' };
    if (container.state === 'exited') return { container, kind: 'harvest', reason: 'exited' };
    if (container.state === 'created') return { container, kind: 'remove', reason: 'never_started' };
    const rivals = up.filter((other) => other.session === container.session);
    return decideRunning(container, known, rivals, options);
  });
}

/** Of several running containers of one session one stays: newest epoch, then the owned one, then by id. */
function decideRunning<C extends ListedContainer>(
  container: C,
  known: KnownSession,
  rivals: readonly C[],
  { orphans, owned }: ReconcileOptions,
): ContainerAction<C> {
  const isOwned = owned.has(container.id);
  const newestEpoch = Math.max(known.epoch, ...rivals.map(({ epoch }) => epoch));
  if (container.epoch < newestEpoch) return { container, kind: 'remove', reason: 'older_epoch' };
  if (rivals.some((other) => other.epoch === newestEpoch && goesBefore(other, container, owned))) {
    return { container, kind: 'remove', reason: 'duplicate' };
  }
  if (!isOwned && known.status === 'closed') return { container, kind: 'remove', reason: 'closed_session' };
  if (!isOwned && orphans === 'remove') return { container, kind: 'remove', reason: 'orphans_remove' };
  if (known.specHash !== null && container.specHash !== known.specHash) {
    return { container, kind: 'replace_when_idle', reason: 'outdated', adopt: !isOwned };
  }
  return isOwned ? { container, kind: 'keep', reason: 'owned' } : { container, kind: 'adopt', reason: 'live_session' };
}

function goesBefore(a: ListedContainer, b: ListedContainer, owned: ReadonlySet<string>): boolean {
  return owned.has(a.id) === owned.has(b.id) ? a.id < b.id : owned.has(a.id);
}
