import { budgetPermission, hasLimit, NOTHING_SPENT, spentAfter } from '../core/budget.js';
import type { Budget, BudgetPermission, Use } from '../core/budget.js';
import type { Policy } from '../core/policy.js';
import type { Logger } from '../observe/logs.js';
import type { Notices } from '../observe/notices.js';
import type { Clock } from '../ports/clock.js';
import type { Registry, SessionRecord } from '../ports/registry.js';
import type { GroupName, SessionAddress } from '../protocol/address.js';
import type { RunnerNotes } from '../protocol/runner-notes.js';
import { formatInstant } from '../protocol/times.js';
import type { MessageAction } from './message-actions.js';

export interface BudgetsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly notices: Notices;
  readonly log: Logger;
  readonly policy: (record: SessionRecord) => Policy;
}

const WITHIN: BudgetPermission = { kind: 'within' };
const NO_TURNS = { turns: 0 };
const NO_FIGURES = { tokens: 0, costMicros: 0 };

/** What sessions and groups use, and whether they may use more. Kept in the registry. */
export class Budgets {
  readonly #options: BudgetsOptions;
  /** Until when sessions wait: they are not looked at meanwhile, however many they are. */
  readonly #waiting = new Map<SessionAddress, number>();

  constructor(options: BudgetsOptions) {
    this.#options = options;
  }

  permission(record: SessionRecord): BudgetPermission {
    const { session, group } = this.#options.policy(record).budgets;
    const own = this.#permissionOf(record.address, session);
    return own.kind === 'spent' ? own : this.#permissionOf(record.group, group);
  }

  /** The session has work and waits. The operator is told once of each time. */
  waits(record: SessionRecord, untilMs: number, detail: string): void {
    this.#waiting.set(record.address, untilMs);
    const { session } = this.#options.policy(record).budgets;
    const isOwn = this.#permissionOf(record.address, session).kind === 'spent';
    const who = isOwn ? record.address : `group ${record.group}`;
    const fact = `budget_told:${who}`;
    const until = formatInstant(untilMs);
    if (this.#options.registry.readFact(fact) === until) return;
    this.#options.registry.writeFact(fact, until);
    this.#options.log.warn({ session: record.address, until, detail }, 'budget spent');
    this.#options.notices.raise(
      'budget_spent',
      isOwn ? record.address : null,
      `${who} has used ${detail}: its messages wait until ${until}, nothing is lost. Raise the limit in the settings and "nightporter config reload", or let them wait`,
    );
  }

  /** It does not wait. */
  forget(session: SessionAddress): void {
    if (!this.#waiting.delete(session)) return;
    this.#options.notices.settle('budget_spent', session);
    // Of its group, which may still be over: then the next one that waits says so again.
    this.#options.notices.settle('budget_spent', null);
  }

  /** An earlier process told of it. */
  takeUp(session: SessionAddress): void {
    this.#waiting.set(session, 0);
  }

  isWaiting(session: SessionAddress): boolean {
    return (this.#waiting.get(session) ?? 0) > this.#options.clock.now();
  }

  /** Other limits may hold now. */
  settingsChanged(): void {
    this.#waiting.clear();
  }

  /** Turns that ended, whatever came of them; in the transaction that tells of them. Those that the host took back do not count. */
  ended(record: SessionRecord, actions: readonly MessageAction[]): void {
    const turns = actions.filter(isTurn).length;
    if (turns > 0) this.#add(record, { turns, ...NO_FIGURES });
  }

  /** What the provider said that the session used; in the transaction of the look. */
  noted(record: SessionRecord, { usage }: RunnerNotes): void {
    if (usage === null) return;
    const more = this.#options.registry.newUsage(record.address, usage);
    if (more.tokens > 0 || more.costMicros > 0) this.#add(record, { ...NO_TURNS, ...more });
  }

  #add({ address, group }: SessionRecord, use: Use): void {
    const { registry, clock } = this.#options;
    for (const scope of [address, group]) {
      registry.saveSpent(scope, spentAfter(registry.spent(scope) ?? NOTHING_SPENT, use, clock.now()));
    }
  }

  #permissionOf(scope: SessionAddress | GroupName, budget: Budget): BudgetPermission {
    if (!hasLimit(budget)) return WITHIN;
    const { registry, clock } = this.#options;
    return budgetPermission(budget, registry.spent(scope) ?? NOTHING_SPENT, clock.now());
  }
}

function isTurn(action: MessageAction): boolean {
  if (action.kind === 'complete' || action.kind === 'fail') return true;
  return action.kind === 'retry' && action.reason !== 'host_ended_turn';
}
