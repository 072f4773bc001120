import type { SessionStatus } from '../../../src/ports/registry.js';
import type { Model } from './model.js';
import { claimsOf, isFree } from './rows.js';
import type { Message, Session } from './rows.js';

/** What can be seen of a session from outside. */
export interface SessionView {
  readonly session: string;
  readonly status: SessionStatus;
  readonly running: number;
  readonly epoch: number;
  readonly fruitless: number;
  readonly deadInARow: number;
  readonly held: string | null;
  readonly counts: Readonly<Record<'pending' | 'processing' | 'completed' | 'failed' | 'paused' | 'series', number>>;
  readonly nextDueMs: number | null;
  readonly messages: readonly MessageView[];
  readonly notices: readonly string[];
}

export interface MessageView {
  readonly id: string;
  readonly status: string;
  readonly tries: number;
  readonly deferrals: number;
  readonly attempt: number;
  readonly isClaimed: boolean;
  readonly dueMs: number;
  readonly isLive: boolean;
  readonly occurrenceMs: number | null;
  readonly reason: string | null;
}

/** What operators ask for: dead letters, newest first; messages in the order of their answers. */
export interface ListsView {
  readonly session: string;
  readonly dead: readonly string[];
  readonly answered: readonly string[];
}

/** What the model says that can be seen. */
export function viewOf(model: Model): SessionView[] {
  return sessionsOf(model).map(sessionView);
}

export function listsOf(model: Model): ListsView[] {
  return sessionsOf(model).map(({ name, messages, answered }) => {
    const dead = messages.map((row, at) => ({ row, at })).filter(({ row }) => row.status === 'failed');
    const newestFirst = dead.sort((a, b) => b.row.endedMs - a.row.endedMs || b.at - a.at);
    const lines = newestFirst.map(({ row }) => `${row.id} attempt ${row.attempt}: ${row.reason ?? ''}`);
    return { session: name, dead: lines, answered };
  });
}

function sessionsOf({ sessions }: Model): Session[] {
  return [...sessions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sessionView(one: Session): SessionView {
  const { name, status, fruitless, deadInARow, held, messages, told, container, epoch } = one;
  const among = (wanted: Message['status']): number => messages.filter((row) => row.status === wanted).length;
  const processing = claimsOf(one).filter((row) => row.status === 'pending').length;
  const dueMs = messages.filter((row) => row.wakes && isFree(row)).map((row) => row.dueMs);
  const isTold = { dead_letter: among('failed') > 0, held: held !== null };
  const states = Object.entries(isTold).flatMap(([kind, is]) => (is ? [kind] : []));
  return {
    ...{ session: name, status, running: container === null ? 0 : 1, epoch, fruitless, deadInARow, held },
    counts: {
      ...{ pending: among('pending') - processing, processing, completed: among('completed') },
      ...{ failed: among('failed'), paused: among('paused'), series: messages.filter((row) => row.isLive).length },
    },
    nextDueMs: dueMs.length === 0 ? null : Math.min(...dueMs),
    messages: messages.map(messageView),
    notices: [...told, ...states].sort(),
  };
}

function messageView(row: Message): MessageView {
  const { id, status, tries, deferrals, attempt, isClaimed, dueMs, isLive, occurrenceMs, reason } = row;
  const seen = { id, status, tries, deferrals, attempt, isClaimed, dueMs, isLive, occurrenceMs };
  return { ...seen, reason: status === 'failed' ? reason : null };
}
