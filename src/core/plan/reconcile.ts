/** A container with this install's label, as far as reconciling needs to know it. */
export interface ListedContainer {
  readonly id: string;
  /** undefined: its label is no address. */
  readonly session: string | undefined;
  readonly epoch: number;
  readonly state: 'created' | 'running' | 'paused' | 'exited';
}

export interface ReconcileItem<C extends ListedContainer> {
  readonly container: C;
  /** The session that its label names, with the number of the incarnation begun last; null: there is none. */
  readonly owner: { readonly status: 'active' | 'suspended' | 'closed'; readonly epoch: number } | null;
  /** A start or stop of this process is in flight for its session. */
  readonly isInFlight: boolean;
  /** This process started or adopted it already. */
  readonly isOwned?: boolean;
}

export interface ReconcileOptions {
  /** `ORPHANS=remove`, at the start: nothing is adopted. */
  readonly removeAll: boolean;
  /** Id of the container that this process itself runs in. */
  readonly self?: string;
}

export type RemoveReason =
  'no_session' | 'closed_session' | 'older_epoch' | 'duplicate' | 'orphans_remove' | 'never_started';

export type ContainerAction<C extends ListedContainer> = { readonly container: C } & (
  | { readonly kind: 'keep'; readonly reason: 'owned' | 'self' }
  | { readonly kind: 'spare'; readonly reason: 'in_flight' }
  /** An outdated one too: the plan of its session replaces it between turns. */
  | { readonly kind: 'adopt'; readonly reason: 'live_session' }
  | { readonly kind: 'remove'; readonly reason: RemoveReason }
  | { readonly kind: 'harvest'; readonly reason: 'exited' }
);

/** What to do with each container that the runtime lists, in the order of the list. */
export function planReconcile<C extends ListedContainer>(
  items: readonly ReconcileItem<C>[],
  { removeAll, self }: ReconcileOptions,
): ContainerAction<C>[] {
  const stayers = findStayers(items);
  return items.map((item) => {
    const { container, owner } = item;
    if (container.id === self) return { container, kind: 'keep', reason: 'self' };
    if (item.isInFlight) return { container, kind: 'spare', reason: 'in_flight' };
    if (container.session === undefined || owner === null) return { container, kind: 'remove', reason: 'no_session' };
    if (container.state === 'exited') return { container, kind: 'harvest', reason: 'exited' };
    if (container.state === 'created') return { container, kind: 'remove', reason: 'never_started' };
    const stayer = stayers.get(container.session);
    if (container.epoch < Math.max(owner.epoch, stayer?.container.epoch ?? 0)) {
      return { container, kind: 'remove', reason: 'older_epoch' };
    }
    if (item !== stayer) return { container, kind: 'remove', reason: 'duplicate' };
    if (item.isOwned === true) return { container, kind: 'keep', reason: 'owned' };
    if (owner.status === 'closed') return { container, kind: 'remove', reason: 'closed_session' };
    if (removeAll) return { container, kind: 'remove', reason: 'orphans_remove' };
    return { container, kind: 'adopt', reason: 'live_session' };
  });
}

/** Of the running containers of each session the one that stays: newest epoch, then the owned one, then by id. */
function findStayers<C extends ListedContainer>(
  items: readonly ReconcileItem<C>[],
): ReadonlyMap<string, ReconcileItem<C>> {
  const stayers = new Map<string, ReconcileItem<C>>();
  for (const item of items) {
    const { session, state } = item.container;
    if (session === undefined || state === 'created' || state === 'exited') continue;
    const best = stayers.get(session);
    if (best === undefined || goesBefore(item, best)) stayers.set(session, item);
  }
  return stayers;
}

function goesBefore<C extends ListedContainer>(a: ReconcileItem<C>, b: ReconcileItem<C>): boolean {
  if (a.container.epoch !== b.container.epoch) return a.container.epoch > b.container.epoch;
  if (a.isOwned !== b.isOwned) return a.isOwned === true;
  return a.container.id < b.container.id;
}
