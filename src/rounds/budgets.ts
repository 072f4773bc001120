import { budgetPermission, hasLimit, NOTHING_SPENT, spentAfter, turnsOf } from '../core/budget.js';
import type { Budget, BudgetPermission, Spent, Use } from '../core/budget.js';
import type { SessionObservation } from '../core/observation.js';
import type { Policy } from '../core/policy.js';
import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { GroupName, SessionAddress } from '../protocol/address.js';
import type { RunnerNotes } from '../protocol/runner-notes.js';
import { formatInstant } from '../protocol/times.js';
import type { Fleet } from './fleet.js';
import type { MessageAction } from './message-actions.js';

export interface BudgetsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  readonly policy: (record: SessionRecord) => Policy;
  readonly fleet: Pick<Fleet, 'busyIn'>;
}

type Scope = SessionAddress | GroupName;

interface Wait {
  untilMs: number;
  /** Whose budget is spent. */
  readonly scope: Scope;
}

/** After so long it is seen whether turns that were under way have ended. */
const UNDER_WAY_MS = 10_000;
const WITHIN: BudgetPermission = { kind: 'within' };
const NO_USE: Use = { turns: 0, tokens: 0, costMicros: 0 };

/** What sessions and groups use, and whether they may use more. Kept in the registry. */
export class Budgets {
  readonly #options: BudgetsOptions;
  /** Until when sessions wait: they are not looked at meanwhile, however many they are. */
  readonly #waiting = new Map<SessionAddress, Wait>();
  /** Those of them that wait for their group. */
  readonly #groups = new Map<Scope, Set<SessionAddress>>();
  /** What was told of the groups that are waited for. */
  readonly #texts = new Map<Scope, string>();

  constructor(options: BudgetsOptions) {
    this.#options = options;
  }

  permission(record: SessionRecord): BudgetPermission {
    const { session, group } = this.#options.policy(record).budgets;
    const own = this.#permissionOf(record.address, session);
    return own.kind === 'spent' ? own : this.#permissionOf(record.group, group);
  }

  /**
   * How long a start waits because turns that are under way in its group may be the last that it may have; 0: it need not.
   * Each of them counts when it ends, so that whoever waits here waits for that alone.
   */
  waitsForMs(record: SessionRecord): number {
    const { clock, fleet, policy } = this.#options;
    const { group } = policy(record).budgets;
    if (group.turnsPerHour === null) return 0;
    const use = { ...NO_USE, turns: fleet.busyIn(record.group) };
    const spent = spentAfter(this.#spent(record.group), use, clock.now());
    return budgetPermission(group, spent, clock.now()).kind === 'spent' ? UNDER_WAY_MS : 0;
  }

  /** The session has work and waits. The operator is told once: of a session until it need not wait, of a group until none of its sessions has to. */
  waits(record: SessionRecord, untilMs: number, detail: string): void {
    const { address, group } = record;
    const isOwn = this.#permissionOf(address, this.#options.policy(record).budgets.session).kind === 'spent';
    const scope = isOwn ? address : group;
    const isTold = isOwn ? this.#waiting.get(address)?.scope === address : this.#waitingOf(group).size > 0;
    this.#set(address, { untilMs, scope });
    if (isTold) return;
    const until = formatInstant(untilMs);
    const who = isOwn ? address : `group ${group}`;
    this.#options.log.warn({ session: address, until, detail }, 'budget spent');
    const text = `${who} has used ${detail}: its messages wait until ${until}, nothing is lost. Raise the limit in the settings and "nightporter config reload", or let them wait`;
    if (!isOwn) this.#texts.set(group, text);
    this.#options.notices.raise('budget_spent', isOwn ? address : null, text);
  }

  /** It does not wait. */
  forget(session: SessionAddress): void {
    this.#set(session, undefined);
  }

  /** An earlier process told of it; null: of a group, which the first one that waits for it says again. */
  takeUp(session: SessionAddress | null): void {
    if (session === null) this.#options.notices.settle('budget_spent', null);
    else this.#set(session, { untilMs: 0, scope: session });
  }

  isWaiting(session: SessionAddress): boolean {
    return (this.#waiting.get(session)?.untilMs ?? 0) > this.#options.clock.now();
  }

  /** Other limits may hold now. */
  settingsChanged(): void {
    for (const wait of this.#waiting.values()) wait.untilMs = 0;
  }

  /** Turns that ended, whatever came of them; in the transaction that tells of them. Those that the host took back do not count. */
  ended(record: SessionRecord, observation: SessionObservation, actions: readonly MessageAction[]): void {
    const { files } = observation;
    const turns = files.kind === 'read' ? turnsOf(actions, files.facts.acked) : 0;
    if (turns > 0) this.#add(record, { ...NO_USE, turns });
  }

  /** What the provider said that the session used; in the transaction of the look. */
  noted(record: SessionRecord, { usage }: RunnerNotes): void {
    if (usage === null) return;
    const more = this.#options.registry.newUsage(record.address, usage);
    if (more.tokens > 0 || more.costMicros > 0) this.#add(record, { ...NO_USE, ...more });
  }

  #set(session: SessionAddress, wait: Wait | undefined): void {
    const before = this.#waiting.get(session);
    if (before !== undefined && before.scope !== wait?.scope) this.#leave(session, before.scope);
    if (wait === undefined) {
      this.#waiting.delete(session);
      return;
    }
    this.#waiting.set(session, wait);
    if (wait.scope !== session) this.#groups.set(wait.scope, this.#waitingOf(wait.scope).add(session));
  }

  #leave(session: SessionAddress, scope: Scope): void {
    const { notices } = this.#options;
    if (scope === session) {
      notices.settle('budget_spent', session);
      return;
    }
    const others = this.#waitingOf(scope);
    others.delete(session);
    if (others.size > 0) return;
    this.#groups.delete(scope);
    this.#texts.delete(scope);
    // One notice for all groups: it tells of one that still waits.
    const [next] = this.#texts.values();
    if (next === undefined) notices.settle('budget_spent', null);
    else notices.raise('budget_spent', null, next);
  }

  #waitingOf(scope: Scope): Set<SessionAddress> {
    return this.#groups.get(scope) ?? new Set();
  }

  #add({ address, group }: SessionRecord, use: Use): void {
    const { registry, clock } = this.#options;
    for (const scope of [address, group]) {
      registry.saveSpent(scope, spentAfter(this.#spent(scope), use, clock.now()));
    }
  }

  #permissionOf(scope: Scope, budget: Budget): BudgetPermission {
    if (!hasLimit(budget)) return WITHIN;
    return budgetPermission(budget, this.#spent(scope), this.#options.clock.now());
  }

  #spent(scope: Scope): Spent {
    return this.#options.registry.spent(scope) ?? NOTHING_SPENT;
  }
}
