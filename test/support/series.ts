import Database from 'better-sqlite3';
import { nextOccurrence } from '../../src/core/schedule/occurrences.js';
import { parseCron } from '../../src/core/schedule/cron.js';
import type { MessageId } from '../../src/protocol/address.js';
import type { MissedPolicy } from '../../src/protocol/rows.js';
import { formatInstant } from '../../src/protocol/times.js';
import { session } from './porter.js';
import type { TestPorter } from './porter.js';

export interface SeriesOptions {
  readonly cron: string;
  readonly zone?: string;
  readonly missed?: MissedPolicy;
  /** Of its first occurrence; by default the next one of its schedule. */
  readonly firstMs?: number;
}

/** Puts the first occurrence of a series into the spool. */
export function sendSeries(
  p: TestPorter,
  text: string,
  id: string,
  { cron, zone, missed, firstMs }: SeriesOptions,
): void {
  const nowMs = p.clock.now();
  const parsed = parseCron(cron);
  const atMs =
    firstMs ?? (parsed.kind === 'ok' ? nextOccurrence({ cron: parsed.cron, zone: zone ?? 'UTC' }, nowMs) : undefined);
  if (atMs === undefined) throw new Error(`${cron} has no next time`);
  const result = p.registry.accept({
    session: session(text),
    acceptedAtMs: nowMs,
    message: {
      id: id as MessageId,
      kind: 'chat',
      timestampMs: nowMs,
      processAfterMs: atMs,
      trigger: true,
      onWake: false,
      content: JSON.stringify({ text: id }),
      recurrence: cron,
      seriesId: id,
      timezone: zone ?? null,
      occurrenceMs: atMs,
      missed: missed ?? null,
    },
  });
  if (result.kind !== 'accepted') throw new Error(result.kind);
}

export interface SeriesRow {
  readonly id: string;
  readonly status: string;
  readonly recurrence: string | null;
  readonly series_id: string | null;
  readonly occurrence: string | null;
  readonly process_after: string | null;
  readonly timezone: string | null;
  readonly tries: number;
  readonly attempt: number;
}

/** All rows of a session's messages, by seq. */
export function rowsOf(p: TestPorter, text: string): SeriesRow[] {
  const db = new Database(p.paths(text).inbound, { readonly: true });
  try {
    return db.prepare<[], SeriesRow>('SELECT * FROM messages_in ORDER BY seq').all();
  } finally {
    db.close();
  }
}

/** Rows that keep a series going. */
export function liveRows(p: TestPorter, text: string): SeriesRow[] {
  return rowsOf(p, text).filter(
    ({ recurrence, status }) => recurrence !== null && (status === 'pending' || status === 'paused'),
  );
}

/** As an operator's program would. */
export function inbound(p: TestPorter, text: string, statement: string, ...values: unknown[]): void {
  const db = new Database(p.paths(text).inbound);
  try {
    db.prepare(statement).run(...values);
  } finally {
    db.close();
  }
}

/** Those rows that the session's container would take now, in its order. */
export function claimable(p: TestPorter, text: string): SeriesRow[] {
  const now = formatInstant(p.clock.now());
  const acks = p.acks(text);
  return rowsOf(p, text).filter(
    (row) =>
      row.status === 'pending' &&
      (row.process_after ?? now) <= now &&
      !acks.some((ack) => ack['message_id'] === row.id && ack['attempt'] === row.attempt),
  );
}

/**
 * The session's container takes what is due and completes it, over and over, and ends. Returns the occurrences of its
 * turns; of rows without one, their ids.
 */
export async function workOff(p: TestPorter, text: string): Promise<string[]> {
  const done: string[] = [];
  for (;;) {
    const due = claimable(p, text);
    const [first] = due;
    if (first === undefined || !p.running().includes(text)) break;
    p.ack(text, first.id, 'completed');
    done.push(first.occurrence ?? first.id);
    await p.look(text);
  }
  if (p.running().includes(text)) {
    p.runtime.exit(session(text));
    await p.look(text);
  }
  return done;
}
